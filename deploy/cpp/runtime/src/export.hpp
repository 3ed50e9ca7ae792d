// Marks what a module exports.
#pragma once

#ifdef _WIN32
#define PPCLS_EXPORT __declspec(dllexport)
#else
#define PPCLS_EXPORT __attribute__((visibility("default")))
#endif
