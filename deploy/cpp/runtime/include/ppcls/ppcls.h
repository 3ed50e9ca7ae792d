/* The C interface: classes of pictures by a bundle that `ppcls export` wrote.
 *
 *     char error[PPCLS_ERROR_SIZE];
 *     ppcls_options options = {.backend = "openvino", .topk = 5};
 *     ppcls_classifier* classifier = ppcls_open("bundle", &options, error);
 *     ppcls_class best[5];
 *     int count = ppcls_classify_file(classifier, "cat.jpg", best, 5, error);
 *     ppcls_close(classifier);
 *
 * Texts are UTF-8. A function that fails writes one sentence into `error`, which has room for PPCLS_ERROR_SIZE bytes.
 * Threads may share a classifier. */
#ifndef PPCLS_H
#define PPCLS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(PPCLS_SHARED)
#define PPCLS_API __declspec(dllexport)
#elif defined(__GNUC__)
#define PPCLS_API __attribute__((visibility("default")))
#else
#define PPCLS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PPCLS_ERROR_SIZE 1024

typedef struct ppcls_classifier ppcls_classifier;

/* How a bundle is run. NULL or 0 takes what the bundle has stored, or else the default. */
typedef struct ppcls_options {
  const char* backend;   /* "paddle", "onnxruntime" or "openvino" */
  const char* precision; /* "float32", "bfloat16", "float16" or "int8" */
  const char* device;    /* "cpu" or "gpu" */
  const char* library;   /* the file of ONNX Runtime's library */
  int threads;
  int requests;
  int topk; /* classes per picture; 0: 5 */
} ppcls_options;

/* `name` is NULL where the bundle has no names, and lives as long as the classifier. */
typedef struct ppcls_class {
  int32_t class_id;
  float score;
  const char* name;
} ppcls_class;

/* Opens a bundle; NULL after an error. `options` may be NULL. */
PPCLS_API ppcls_classifier* ppcls_open(const char* bundle, const ppcls_options* options, char* error);
PPCLS_API void ppcls_close(ppcls_classifier* classifier);

/* The number of classes of the model. */
PPCLS_API int ppcls_class_count(const ppcls_classifier* classifier);

/* Writes at most `room` classes, the best first, and returns how many; -1 after an error. */
PPCLS_API int ppcls_classify_file(ppcls_classifier* classifier, const char* path, ppcls_class* best, int room,
                                  char* error);
PPCLS_API int ppcls_classify_bytes(ppcls_classifier* classifier, const uint8_t* file, size_t size, ppcls_class* best,
                                   int room, char* error);
/* Pixels in red, green and blue: height rows of width * 3 bytes. */
PPCLS_API int ppcls_classify_pixels(ppcls_classifier* classifier, const uint8_t* rgb, int width, int height,
                                    ppcls_class* best, int room, char* error);

/* Compares preprocessing and engine with the bundle's golden picture: 1 if they agree, 0 if not, -1 after an error. */
PPCLS_API int ppcls_verify(ppcls_classifier* classifier, char* error);

#ifdef __cplusplus
}
#endif

#endif /* PPCLS_H */
