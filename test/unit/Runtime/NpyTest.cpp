#include "ssmc/Runtime/Npy.h"
#include "Check.h"
#include "ssmc/Runtime/Convert.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace ssmc::runtime;

namespace {

/// A folder that lives as long as the test.
struct Folder {
  Folder() { sys::fs::createUniqueDirectory("ssmc-npy", path); }
  ~Folder() { sys::fs::remove_directories(path); }
  std::string file(StringRef name) const { return (path + "/" + name).str(); }
  unsigned numFiles() const {
    std::error_code error;
    unsigned count = 0;
    for (sys::fs::directory_iterator it(path, error), end; it != end && !error; it.increment(error))
      ++count;
    return count;
  }
  SmallString<128> path;
};

} // namespace

/// A .npy file as text: version, dictionary, data.
static std::string npy(unsigned version, std::string dictionary, std::string data) {
  std::string text = "\x93NUMPY";
  text += char(version);
  text += char(0);
  dictionary += '\n';
  for (unsigned byte = 0; byte < (version == 1 ? 2 : 4); ++byte)
    text += char(dictionary.size() >> 8 * byte);
  return text + dictionary + data;
}

static std::string bytes(std::initializer_list<float> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float));
}

static std::string save(const Folder& folder, const std::string& content) {
  std::string path = folder.file("a.npy");
  std::error_code error;
  raw_fd_ostream stream(path, error);
  stream << content;
  return path;
}

static constexpr const char* plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

TEST(npyRoundTrip) {
  Folder folder;
  for (unsigned i = 0; i <= unsigned(DType::Complex128); ++i) {
    for (const SmallVector<int64_t>& shape :
         std::initializer_list<SmallVector<int64_t>>{{}, {5}, {2, 0}, {2, 3, 1}}) {
      Array array = UNWRAP(Array::create(DType(i), shape));
      for (size_t byte = 0; byte < array.getNumBytes(); ++byte)
        static_cast<char*>(array.getData())[byte] =
            DType(i) == DType::Bool ? byte & 1 : char(byte * 3);
      std::string path = folder.file("x.npy");
      CHECK(!writeNpy(path, array));
      CHECK(UNWRAP(readNpyHeader(path)).dataOffset % 64 == 0);
      Array back = UNWRAP(readNpyAs(path, DType(i)));
      CHECK(back.getShape() == ArrayRef(shape) && back.getDType() == DType(i));
      CHECK(!array.getNumBytes() ||
            !std::memcmp(back.getData(), array.getData(), array.getNumBytes()));
    }
  }
  CHECK(folder.numFiles() == 1);
}

TEST(npyVersionsAndSpellings) {
  Folder folder;
  for (unsigned version : {1, 2, 3})
    CHECK(UNWRAP(readNpy(save(folder, npy(version, plain, bytes({1, 2, 3, 4, 5, 6})))))
              .as<float>()[5] == 6);
  Array array = UNWRAP(
      readNpy(save(folder, npy(1, "{\"shape\":(3L,),\"fortran_order\":False,\"descr\":\"=f4\"}",
                               bytes({1, 2, 3})))));
  CHECK(array.getShape() == ArrayRef<int64_t>{3});
}

TEST(npyFortranOrderIsTransposed) {
  Folder folder;
  Array array = UNWRAP(
      readNpy(save(folder, npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
                               bytes({0, 3, 1, 4, 2, 5})))));
  for (int i = 0; i < 6; ++i)
    CHECK(array.as<float>()[i] == float(i));
}

TEST(npyBF16) {
  Folder folder;
  std::string path = folder.file("b.npy");
  Array bits = UNWRAP(Array::create(DType::U16, {1}));
  bits.as<uint16_t>()[0] = toBF16(1.5);
  CHECK(!writeNpy(path, bits));
  CHECK(UNWRAP(readNpyAs(path, DType::BF16)).get(0) == 1.5);
  CHECK(UNWRAP(readNpyAs(path, DType::F32)).get(0) == double(toBF16(1.5)));
  Array brain = UNWRAP(readNpyAs(path, DType::BF16));
  CHECK(!writeNpy(path, brain));
  CHECK(UNWRAP(readNpyHeader(path)).dtype == DType::F32);
}

TEST(npyBadFiles) {
  Folder folder;
  auto check = [&](const std::string& content, StringRef message) {
    std::string path = save(folder, content);
    CHECK_ERROR(readNpy(path), message);
    CHECK_ERROR(readNpy(path), path);
  };
  std::string data = bytes({1, 2, 3, 4, 5, 6});
  check("", "is no .npy file");
  check("PK\x03\x04 and so on, a zip file", "is no .npy file");
  check(npy(1, plain, data).substr(0, 9), "is no .npy file");
  check(npy(9, plain, data), "version 9.0");
  check(npy(1, plain, data).substr(0, 40), "ends inside its header");
  check(npy(2, plain, data).substr(0, 11), "ends inside its header");
  check(npy(1, plain, data.substr(1)), "take 24 bytes of data, it has 23");
  check(npy(1, plain, data + "x"), "1 bytes more");
  check(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff????", 16), "malformed");
  auto header = [&](const char* text, StringRef message) { check(npy(1, text, data), message); };
  header("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "big-endian");
  header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", "dtype '|O'");
  header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", "structured");
  header("{'descr': '<f4', 'fortran_order': False, }", "expected the keys");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3), }", "at least 0");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
         "below 2^63");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }",
         "64 bits");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000,), }", "truncated");
  header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", "malformed");
  header("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3), }", "True or False");
  CHECK_ERROR(readNpy(folder.file("none.npy")), "cannot be read: No such file");
  CHECK_ERROR(readNpy(folder.path), "no regular file");
  CHECK_ERROR(readNpyAs(save(folder, npy(1, plain, data)), DType::I32), "wrong dtype");
}

TEST(npyUnwritable) {
  Folder folder;
  Array array = UNWRAP(Array::create(DType::F32, {2}));
  CHECK_ERROR(writeNpy(folder.file("missing/x.npy"), array), "cannot be written: No such file");
  CHECK_ERROR(writeNpy(folder.path, array), "no regular file");
  CHECK_ERROR(writeNpy("/dev/null", array), "no regular file");
  CHECK(folder.numFiles() == 0);
}

TEST(npyWritesThroughLinks) {
  Folder folder;
  Array array = UNWRAP(Array::create(DType::F32, {2}));
  CHECK(!writeNpy(folder.file("a.npy"), array));
  CHECK(!sys::fs::create_link(folder.file("a.npy"), folder.file("link.npy")));
  CHECK(!writeNpy(folder.file("link.npy"), array));
  CHECK(sys::fs::is_symlink_file(folder.file("link.npy")));
}
