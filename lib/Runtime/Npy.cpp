#include "ssmc/Runtime/Npy.h"
#include "NpyHeader.h"
#include "ssmc/Runtime/Convert.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>

using namespace llvm;
using namespace ssmc::runtime;

static_assert(endianness::native == endianness::little,
              "array data are taken as they lie in the file");

static Error failure(StringRef path, const Twine& what) {
  return createStringError("'" + path + "' " + what);
}

static Error failure(StringRef path, Error error) {
  return failure(path, toString(std::move(error)));
}

namespace {
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;
} // namespace

/// Opens a file for reading and tells its length.
static Expected<File> openFile(StringRef path, uint64_t& length) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return failure(path, "cannot be read: " + error.message());
  if (status.type() != sys::fs::file_type::regular_file)
    return failure(path, "is no regular file");
  length = status.getSize();
  File file(std::fopen(path.str().c_str(), "rb"));
  if (!file)
    return failure(path, "cannot be read: " + Twine(std::strerror(errno)));
  return file;
}

/// Reads the header from the start of the file and leaves the file at the first element.
static Expected<NpyHeader> readHeader(std::FILE* file, uint64_t length, StringRef path) {
  unsigned char prefix[12];
  if (length < 10 || std::fread(prefix, 1, 10, file) != 10 ||
      std::memcmp(prefix, "\x93NUMPY", 6) != 0)
    return failure(path, "is no .npy file: it does not start with NumPy's signature");
  unsigned version = prefix[6];
  if (version < 1 || version > 3)
    return failure(path, "has .npy version " + Twine(version) + "." + Twine(unsigned(prefix[7])) +
                             ", expected 1.0, 2.0 or 3.0");
  uint64_t textLength = support::endian::read16le(prefix + 8), textOffset = 10;
  if (version > 1) {
    if (std::fread(prefix + 10, 1, 2, file) != 2)
      return failure(path, "is truncated: it ends inside its header");
    textLength = support::endian::read32le(prefix + 8);
    textOffset = 12;
  }
  if (textLength > (1 << 20))
    return failure(path, "has a malformed header: it claims to be " +
                             formatBytes(double(textLength)) + " long");
  std::string text(textLength, ' ');
  if (textOffset + textLength > length ||
      std::fread(text.data(), 1, textLength, file) != textLength)
    return failure(path, "is truncated: it ends inside its header");
  Expected<NpyHeader> header = parseNpyDictionary(text);
  if (!header)
    return failure(path, header.takeError());
  header->dataOffset = int64_t(textOffset + textLength);

  Expected<int64_t> count = countElements(header->dtype, header->shape);
  if (!count)
    return failure(path, "has a malformed header: " + toString(count.takeError()));
  uint64_t expected = uint64_t(*count) * byteWidth(header->dtype);
  uint64_t found = length - header->dataOffset;
  if (found < expected)
    return failure(
        path,
        fmt::format("is truncated: its shape {} and dtype {} take {} bytes of data, it has {}",
                    formatShape(header->shape), name(header->dtype).str(), expected, found));
  if (found > expected)
    return failure(path, fmt::format("has {} bytes more than its shape {} and dtype {} take",
                                     found - expected, formatShape(header->shape),
                                     name(header->dtype).str()));
  return header;
}

/// Copies elements from Fortran order, as they lie in `from`, to C order.
static void transpose(const char* from, Array& to) {
  ArrayRef<int64_t> shape = to.getShape();
  unsigned width = byteWidth(to.getDType());
  SmallVector<int64_t> strides, index(shape.size(), 0);
  int64_t stride = width;
  for (int64_t extent : shape) {
    strides.push_back(stride);
    stride *= extent;
  }
  char* target = static_cast<char*>(to.getData());
  int64_t offset = 0;
  for (int64_t i = 0; i < to.getNumElements(); ++i, target += width) {
    std::memcpy(target, from + offset, width);
    for (int64_t axis = int64_t(shape.size()) - 1; axis >= 0; --axis) {
      offset += strides[axis];
      if (++index[axis] < shape[axis])
        break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

Expected<NpyHeader> ssmc::runtime::readNpyHeader(StringRef path) {
  uint64_t length = 0;
  Expected<File> file = openFile(path, length);
  if (!file)
    return file.takeError();
  return readHeader(file->get(), length, path);
}

Expected<Array> ssmc::runtime::readNpy(StringRef path) {
  uint64_t length = 0;
  Expected<File> file = openFile(path, length);
  if (!file)
    return file.takeError();
  Expected<NpyHeader> header = readHeader(file->get(), length, path);
  if (!header)
    return header.takeError();
  Expected<Array> array = Array::create(header->dtype, header->shape);
  if (!array)
    return failure(path, "cannot be read: " + toString(array.takeError()));
  if (std::fread(array->getData(), 1, array->getNumBytes(), file->get()) != array->getNumBytes())
    return failure(path, "cannot be read: " + Twine(std::strerror(errno)));
  if (!header->fortranOrder || array->getRank() < 2)
    return array;
  Expected<Array> ordered = Array::create(header->dtype, header->shape);
  if (!ordered)
    return failure(path, "cannot be read: " + toString(ordered.takeError()));
  transpose(static_cast<const char*>(array->getData()), *ordered);
  return ordered;
}

Expected<Array> ssmc::runtime::readNpyAs(StringRef path, DType target) {
  Expected<Array> array = readNpy(path);
  if (!array || array->getDType() == target)
    return array;
  if (target == DType::BF16 && array->getDType() == DType::U16) {
    Expected<Array> bits = Array::create(target, array->getShape());
    if (!bits)
      return failure(path, "cannot be read: " + toString(bits.takeError()));
    if (array->getNumElements())
      std::memcpy(bits->getData(), array->getData(), array->getNumBytes());
    return bits;
  }
  Expected<Array> converted = array->convertTo(target);
  if (!converted)
    return failure(path, "has the wrong dtype: " + toString(converted.takeError()));
  return converted;
}

/// Writes header and data; BF16 is widened a block at a time.
static void writeTo(raw_ostream& stream, const Array& array) {
  bool widen = array.getDType() == DType::BF16;
  std::string text = formatNpyDictionary(widen ? DType::F32 : array.getDType(), array.getShape());
  // Data start at a multiple of 64 bytes; the text ends with a newline.
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  char prefix[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
  support::endian::write16le(prefix + 8, uint16_t(text.size()));
  stream.write(prefix, sizeof(prefix));
  stream << text;
  if (!widen) {
    if (array.getNumElements())
      stream.write(static_cast<const char*>(array.getData()), array.getNumBytes());
    return;
  }
  constexpr size_t block = 4096;
  float values[block];
  for (ArrayRef<uint16_t> rest = array.as<uint16_t>(); !rest.empty();) {
    size_t n = std::min(block, rest.size());
    for (size_t i = 0; i < n; ++i)
      values[i] = fromBF16(rest[i]);
    stream.write(reinterpret_cast<const char*>(values), n * sizeof(float));
    rest = rest.drop_front(n);
  }
}

Error ssmc::runtime::writeNpy(StringRef path, const Array& array) {
  auto refuse = [&](const Twine& why) { return failure(path, "cannot be written: " + why); };
  // Write through a symbolic link, not over it; and never replace a device or a folder.
  SmallString<128> target(path);
  sys::fs::file_status status;
  if (!sys::fs::status(path, status)) {
    if (status.type() != sys::fs::file_type::regular_file)
      return refuse("it exists and is no regular file");
    if (std::error_code error = sys::fs::real_path(path, target))
      return refuse(error.message());
    if (!sys::fs::can_write(target))
      return refuse("it exists and is read-only");
  }
  Expected<sys::fs::TempFile> file = sys::fs::TempFile::create(target + ".%%%%%%.tmp");
  if (!file)
    return refuse(toString(file.takeError()));
  raw_fd_ostream stream(file->FD, /*shouldClose=*/false);
  writeTo(stream, array);
  stream.flush();
  if (std::error_code error = stream.error()) {
    stream.clear_error();
    consumeError(file->discard());
    return refuse(error.message());
  }
  if (Error error = file->keep(target)) {
    consumeError(file->discard());
    return refuse(toString(std::move(error)));
  }
  return Error::success();
}
