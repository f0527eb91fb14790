// Unit tests without a framework: TEST(name) { CHECK(…); } in any file, one executable runs them
// all.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cmath>
#include <cstdio>
#include <string>

namespace ssmc::test {

/// Puts a test on the list that main runs.
struct Registration {
  Registration(const char* name, void (*run)());
};

/// Counts a failure of the running test and prints where and what.
void fail(const char* file, int line, const std::string& what);

inline bool near(double a, double b, double tolerance = 1e-12) {
  return a == b || std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
}

/// The value, or a failed test and a default one.
template <typename T> T unwrap(llvm::Expected<T> value, const char* file, int line) {
  if (value)
    return std::move(*value);
  fail(file, line, "unexpected error: " + llvm::toString(value.takeError()));
  return T();
}

inline std::string messageOf(llvm::Error error) {
  return llvm::toString(std::move(error));
}
template <typename T> std::string messageOf(llvm::Expected<T> value) {
  return llvm::toString(value.takeError());
}

} // namespace ssmc::test

#define TEST(name)                                                                                 \
  static void name();                                                                              \
  static const ssmc::test::Registration name##Registration(#name, name);                           \
  static void name()

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition))                                                                              \
      ssmc::test::fail(__FILE__, __LINE__, #condition);                                            \
  } while (false)

/// Compares two doubles; equal infinities are near.
#define CHECK_NEAR(found, expected)                                                                \
  do {                                                                                             \
    double found_ = (found), expected_ = (expected);                                               \
    if (!ssmc::test::near(found_, expected_))                                                      \
      ssmc::test::fail(__FILE__, __LINE__,                                                         \
                       #found " is " + std::to_string(found_) + ", expected " +                    \
                           std::to_string(expected_));                                             \
  } while (false)

/// Checks that an llvm::Error or llvm::Expected is an error whose message contains a text.
#define CHECK_ERROR(value, text)                                                                   \
  do {                                                                                             \
    std::string message_ = ssmc::test::messageOf(value);                                           \
    if (!llvm::StringRef(message_).contains(text))                                                 \
      ssmc::test::fail(__FILE__, __LINE__,                                                         \
                       "expected a message with \"" + std::string(text) + "\", found \"" +         \
                           message_ + "\"");                                                       \
  } while (false)

#define UNWRAP(value) ssmc::test::unwrap((value), __FILE__, __LINE__)
