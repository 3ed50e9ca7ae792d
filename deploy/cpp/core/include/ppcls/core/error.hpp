// Errors that are written for the user of a program: one sentence with the file, the value and the remedy.
#pragma once

#include <stdexcept>
#include <string>

namespace ppcls {

// A mistake in what a user gave: a file, a value, a combination of options. Programs end with exit code 2.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An engine or a device that this build or this machine does not have.
class Unavailable : public UserError {
 public:
  using UserError::UserError;
};

// A file that holds no picture, or only part of one; `what` is the reason without the file's name.
class UnreadablePicture : public UserError {
 public:
  using UserError::UserError;
};

// Throws a UserError with this sentence unless the condition holds.
inline void expect(bool condition, const std::string& sentence) {
  if (!condition) {
    throw UserError(sentence);
  }
}

// Throws an UnreadablePicture with this reason unless the condition holds.
inline void expect_readable(bool condition, const char* reason) {
  if (!condition) {
    throw UnreadablePicture(reason);
  }
}
inline void expect_readable(bool condition, const std::string& reason) { expect_readable(condition, reason.c_str()); }

}  // namespace ppcls
