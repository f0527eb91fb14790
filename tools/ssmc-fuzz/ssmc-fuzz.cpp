//===- ssmc-fuzz.cpp - Any bytes through the parser and the checker -------===//
//
// With SSMC_FUZZ a libFuzzer target; without, a program that runs the files it is given through the
// same function, by which the test suite replays what the fuzzer found.
//
//===----------------------------------------------------------------------===//

#include "ssmc/Frontend/Parser.h"
#include "ssmc/Frontend/Sema.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  StringRef text(reinterpret_cast<const char*>(data), size);
  SourceMgr sources;
  sources.AddNewSourceBuffer(MemoryBuffer::getMemBufferCopy(text, "input"), SMLoc());
  ssmc::Diagnostics diags(sources);
  std::unique_ptr<ssmc::frontend::ast::File> file = ssmc::frontend::parseFile(sources, diags);
  bool good = ssmc::frontend::check(*file, diags);
  // A message is part of the work: every place must be printable.
  std::string messages;
  raw_string_ostream os(messages);
  diags.print(os);
  if (good != messages.empty())
    abort(); // refused without a reason, or accepted with one
  return 0;
}

#ifndef SSMC_FUZZ
int main(int argc, char** argv) {
  for (const char* path : ArrayRef(argv, argc).drop_front()) {
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
    if (!buffer) {
      errs() << path << ": " << buffer.getError().message() << '\n';
      return 2;
    }
    StringRef text = (*buffer)->getBuffer();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  }
  outs() << argc - 1 << " files\n";
  return 0;
}
#endif
