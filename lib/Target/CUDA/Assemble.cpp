// PTX to a cubin, by ptxas.
#include "ssmc/Target/CUDA.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace ssmc::cuda;

static std::string findAssembler() {
  std::vector<llvm::StringRef> places;
  if (const char* home = std::getenv("CUDA_HOME"))
    if (llvm::ErrorOr<std::string> found =
            llvm::sys::findProgramByName("ptxas", {std::string(home) + "/bin"}))
      return *found;
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  if (llvm::ErrorOr<std::string> found =
          llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
    return *found;
  return {};
}

bool ssmc::cuda::hasAssembler() {
  return !findAssembler().empty();
}

/// `ptxas -v`: for each entry function a line with its name, one with what spills, one with what it
/// uses.
static std::vector<Resources> readReport(llvm::StringRef report) {
  std::vector<Resources> all;
  llvm::SmallVector<llvm::StringRef> lines;
  report.split(lines, '\n');
  auto numberBefore = [](llvm::StringRef line, llvm::StringRef word) -> int64_t {
    size_t at = line.find(word);
    if (at == llvm::StringRef::npos)
      return 0;
    llvm::StringRef before = line.take_front(at).rtrim();
    int64_t number = 0;
    before.take_back(before.size() - before.find_last_not_of("0123456789") - 1)
        .getAsInteger(10, number);
    return number;
  };
  for (llvm::StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      Resources& one = all.emplace_back();
      one.kernel = line.split('\'').second.split('\'').first.str();
    } else if (!all.empty() && line.contains("bytes stack frame")) {
      all.back().stackBytes = numberBefore(line, "bytes stack frame");
      all.back().spillBytes = numberBefore(line, "bytes spill stores");
    } else if (!all.empty() && line.contains("registers")) {
      all.back().registers = numberBefore(line, "registers");
    }
  }
  return all;
}

std::optional<std::string> ssmc::cuda::assemble(const std::string& ptx, const TargetSpec& target,
                                                std::vector<Resources>* resources,
                                                std::string& error) {
  std::string assembler = findAssembler();
  if (assembler.empty()) {
    error = "there is no ptxas on PATH, in CUDA_HOME or in /usr/local/cuda; --emit ptx does "
            "without";
    return std::nullopt;
  }
  llvm::SmallString<128> input, output, report;
  for (auto [path, suffix] : {std::pair(&input, "ptx"), {&output, "cubin"}, {&report, "txt"}})
    if (std::error_code code = llvm::sys::fs::createTemporaryFile("ssmc", suffix, *path)) {
      error = "no temporary file: " + code.message();
      return std::nullopt;
    }
  llvm::FileRemover removeInput(input), removeOutput(output), removeReport(report);
  {
    std::error_code code;
    llvm::raw_fd_ostream stream(input, code);
    stream << ptx;
    stream.close();
    if (code || stream.has_error()) {
      error = "writing " + std::string(input) + " failed";
      stream.clear_error();
      return std::nullopt;
    }
  }
  std::string arch = "-arch=" + target.arch;
  std::string text;
  auto run = [&](llvm::ArrayRef<llvm::StringRef> more) {
    llvm::SmallVector<llvm::StringRef> arguments = {assembler, "-v", arch, "-o", output, input};
    arguments.append(more.begin(), more.end());
    std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), report.str(), report.str()};
    int status =
        llvm::sys::ExecuteAndWait(assembler, arguments, std::nullopt, redirects, 0, 0, &error);
    auto said = llvm::MemoryBuffer::getFile(report, /*IsText=*/true);
    text = said ? (*said)->getBuffer().str() : "";
    return status;
  };
  // Kernels side by side. (Before CUDA 12.1 there is no such option.)
  int status = run({"--split-compile=0"});
  if (status != 0 && llvm::StringRef(text).contains("Unknown option"))
    status = run({});
  if (status != 0) {
    error = "ptxas failed: " + (text.empty() ? error : text);
    return std::nullopt;
  }
  if (resources)
    *resources = readReport(text);
  auto cubin =
      llvm::MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!cubin) {
    error = "ptxas left no cubin";
    return std::nullopt;
  }
  return (*cubin)->getBuffer().str();
}
