#include "NpyHeader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc::runtime;

namespace {

/// A cursor over the dictionary. Every parse function skips white space first.
class Cursor {
public:
  explicit Cursor(StringRef text) : rest(text) {}

  bool consume(char c) {
    rest = rest.ltrim();
    return rest.consume_front(StringRef(&c, 1));
  }
  bool consume(StringRef word) {
    rest = rest.ltrim();
    return rest.consume_front(word);
  }
  /// Text between single or double quotes; no escapes, NumPy writes none.
  std::optional<StringRef> quoted() {
    rest = rest.ltrim();
    if (rest.empty() || (rest.front() != '\'' && rest.front() != '"'))
      return std::nullopt;
    size_t end = rest.find(rest.front(), 1);
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef text = rest.slice(1, end);
    rest = rest.drop_front(end + 1);
    return text;
  }
  std::optional<int64_t> integer() {
    rest = rest.ltrim();
    int64_t value;
    if (rest.empty() || !isDigit(rest.front()) || rest.consumeInteger(10, value))
      return std::nullopt;
    rest.consume_front("L"); // written by Python 2
    return value;
  }
  bool atEnd() { return rest.ltrim().empty(); }

private:
  StringRef rest;
};

} // namespace

static Error malformed(const Twine& what) {
  return createStringError("has a malformed header: " + what);
}

static Expected<DType> parseDescr(StringRef descr) {
  if (descr.starts_with(">"))
    return createStringError("holds big-endian data (dtype '" + descr +
                             "'): convert it with a.astype(a.dtype.newbyteorder('<'))");
  StringRef kind = descr.ltrim("<=|");
  auto dtype = StringSwitch<std::optional<DType>>(kind)
                   .Case("b1", DType::Bool)
                   .Case("i1", DType::I8)
                   .Case("i2", DType::I16)
                   .Case("i4", DType::I32)
                   .Case("i8", DType::I64)
                   .Case("u1", DType::U8)
                   .Case("u2", DType::U16)
                   .Case("u4", DType::U32)
                   .Case("u8", DType::U64)
                   .Case("f2", DType::F16)
                   .Case("f4", DType::F32)
                   .Case("f8", DType::F64)
                   .Case("c8", DType::Complex64)
                   .Case("c16", DType::Complex128)
                   .Case("V2", DType::BF16)
                   .Default(std::nullopt);
  if (!dtype)
    return createStringError(
        "has dtype '" + descr +
        "', which is not supported: expected bool, int, uint, float16, float32, "
        "float64, complex64 or complex128");
  return *dtype;
}

static Error parseShape(Cursor& cursor, SmallVectorImpl<int64_t>& shape) {
  if (!cursor.consume('('))
    return malformed("expected a tuple as the shape");
  while (!cursor.consume(')')) {
    std::optional<int64_t> extent = cursor.integer();
    if (!extent)
      return malformed("expected a tuple of sizes, each at least 0 and below 2^63, as the shape");
    if (shape.size() == 32)
      return malformed("more than 32 axes");
    shape.push_back(*extent);
    if (cursor.consume(','))
      continue;
    if (!cursor.consume(')'))
      return malformed("expected ',' or ')' in the shape");
    break;
  }
  return Error::success();
}

Expected<NpyHeader> ssmc::runtime::parseNpyDictionary(StringRef text) {
  NpyHeader header;
  Cursor cursor(text);
  bool descr = false, order = false, shape = false;
  if (!cursor.consume('{'))
    return malformed("expected a dictionary");
  while (!cursor.consume('}')) {
    std::optional<StringRef> key = cursor.quoted();
    if (!key || !cursor.consume(':'))
      return malformed("expected a key in quotes and ':'");
    if (*key == "descr") {
      std::optional<StringRef> value = cursor.quoted();
      if (!value)
        return createStringError("has a structured dtype: save each field as an array of its own");
      Expected<DType> dtype = parseDescr(*value);
      if (!dtype)
        return dtype.takeError();
      header.dtype = *dtype;
      descr = true;
    } else if (*key == "fortran_order") {
      header.fortranOrder = cursor.consume("True");
      if (!header.fortranOrder && !cursor.consume("False"))
        return malformed("expected True or False as fortran_order");
      order = true;
    } else if (*key == "shape") {
      if (shape)
        return malformed("two shapes");
      if (Error error = parseShape(cursor, header.shape))
        return error;
      shape = true;
    } else {
      return malformed("unexpected key '" + *key + "'");
    }
    if (!cursor.consume(',')) {
      if (!cursor.consume('}'))
        return malformed("expected ',' or '}'");
      break;
    }
  }
  if (!descr || !order || !shape)
    return malformed("expected the keys 'descr', 'fortran_order' and 'shape'");
  if (!cursor.atEnd())
    return malformed("text after the dictionary");
  return header;
}

std::string ssmc::runtime::formatNpyDictionary(DType dtype, ArrayRef<int64_t> shape) {
  static constexpr const char* descr[] = {"|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4",
                                          "<u8", "<f2", "|V2", "<f4", "<f8", "<c8", "<c16"};
  std::string tuple;
  for (int64_t extent : shape)
    tuple += fmt::format("{}, ", extent);
  if (shape.size() > 1)
    tuple.resize(tuple.size() - 2);
  else if (shape.size() == 1)
    tuple.pop_back();
  return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                     descr[unsigned(dtype)], tuple);
}
