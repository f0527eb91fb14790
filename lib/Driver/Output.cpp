#include "Output.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace ssmc::driver;

static Error cannotWrite(StringRef path, const Twine& why) {
  return createStringError("cannot write '" + path + "': " + why);
}

Error ssmc::driver::checkWritable(StringRef path) {
  if (path == "-")
    return Error::success();
  if (sys::fs::is_directory(path))
    return cannotWrite(path, "it is a folder");
  StringRef folder = sys::path::parent_path(path);
  if (folder.empty())
    folder = ".";
  if (!sys::fs::exists(folder))
    return cannotWrite(path, "there is no folder '" + folder + "'");
  if (!sys::fs::is_directory(folder))
    return cannotWrite(path, "'" + folder + "' is not a folder");
  // Devices and pipes are written in place, files are renamed into their folder.
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path)) {
    if (std::error_code error = sys::fs::access(path, sys::fs::AccessMode::Write))
      return cannotWrite(path, error.message());
  } else if (std::error_code error = sys::fs::access(folder, sys::fs::AccessMode::Write)) {
    return cannotWrite(path, error.message());
  }
  return Error::success();
}

Error ssmc::driver::writeOutput(StringRef path, function_ref<void(raw_ostream&)> write) {
  if (path == "-") {
    write(outs());
    outs().flush();
    if (!outs().has_error())
      return Error::success();
    std::error_code error = outs().error();
    outs().clear_error();
    return createStringError("cannot write to the standard output: " + error.message());
  }
  if (Error error = checkWritable(path))
    return error;
  bool inPlace = sys::fs::exists(path) && !sys::fs::is_regular_file(path);
  if (inPlace) {
    std::error_code code;
    raw_fd_ostream os(path, code);
    if (code)
      return cannotWrite(path, code.message());
    write(os);
    os.close();
    code = os.error();
    os.clear_error();
    return code ? cannotWrite(path, code.message()) : Error::success();
  }
  auto temporary = sys::fs::TempFile::create(path + ".part-%%%%%%%%");
  if (!temporary)
    return cannotWrite(path, toString(temporary.takeError()));
  std::error_code failure;
  {
    raw_fd_ostream os(temporary->FD, /*shouldClose=*/false);
    write(os);
    os.flush();
    failure = os.error();
    os.clear_error();
  }
  if (failure) {
    consumeError(temporary->discard());
    return cannotWrite(path, failure.message());
  }
  if (Error error = temporary->keep(path))
    return cannotWrite(path, toString(std::move(error)));
  return Error::success();
}
