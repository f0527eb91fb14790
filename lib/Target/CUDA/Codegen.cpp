// Tile kernels to the LLVM dialect, to LLVM IR, to PTX.
#include "ssmc/Target/CUDA.h"

#include "Machine.h"
#include "dialects/Tile/Tile.h"
#include "lib/Target/Values/Optimise.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cuda;

namespace {

/// What NVVM has intrinsics for.
class NVVMMachine : public simt::Machine {
public:
  NVVMMachine(bool waits, bool groups) : waits(waits), groups(groups) {}

  Value thread(ImplicitLocOpBuilder& b) const override {
    return call(b, "llvm.nvvm.read.ptx.sreg.tid.x", b.getI32Type(), {});
  }
  Value block(ImplicitLocOpBuilder& b, int axis) const override {
    return call(b, axis ? "llvm.nvvm.read.ptx.sreg.ctaid.y" : "llvm.nvvm.read.ptx.sreg.ctaid.x",
                b.getI32Type(), {});
  }
  Value blocks(ImplicitLocOpBuilder& b, int axis) const override {
    return call(b, axis ? "llvm.nvvm.read.ptx.sreg.nctaid.y" : "llvm.nvvm.read.ptx.sreg.nctaid.x",
                b.getI32Type(), {});
  }
  void barrier(ImplicitLocOpBuilder& b) const override {
    Value all = arith::ConstantIntOp::create(b, 0, 32);
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.all"),
                                  ValueRange{all});
  }
  void meet(ImplicitLocOpBuilder& b, Value number, int64_t threads) const override {
    Value count = arith::ConstantIntOp::create(b, threads, 32);
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.count"),
                                  ValueRange{number, count});
  }
  void makeSignal(ImplicitLocOpBuilder& b, Value address, int64_t arrivals) const override {
    Value count = arith::ConstantIntOp::create(b, arrivals, 32);
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.mbarrier.init.shared"),
                                  ValueRange{address, count});
  }
  void arrive(ImplicitLocOpBuilder& b, Value address) const override {
    call(b, "llvm.nvvm.mbarrier.arrive.shared", b.getI64Type(), {address});
  }
  void arriveAfterCopies(ImplicitLocOpBuilder& b, Value address) const override {
    LLVM::CallIntrinsicOp::create(
        b, b.getStringAttr("llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared"), ValueRange{address});
  }
  void waitFor(ImplicitLocOpBuilder& b, Value address, Value parity) const override {
    std::string text = "{\n\t.reg .pred sent;\n\twaiting:\n\tmbarrier.";
    text += waits ? "try_wait" : "test_wait";
    text += ".parity.shared.b64 sent, [$0], $1;\n\t@!sent bra waiting;\n\t}";
    Value place = LLVM::PtrToIntOp::create(b, b.getI32Type(), address);
    assembly(b, text, "r,r,~{memory}", TypeRange(), ValueRange{place, parity});
  }
  int64_t lanes() const override { return 32; }
  bool hasCopies() const override { return true; }
  Value exchange(ImplicitLocOpBuilder& b, Value value, int mask) const override {
    auto i32 = [&](int64_t number) -> Value { return arith::ConstantIntOp::create(b, number, 32); };
    return call(b, "llvm.nvvm.shfl.sync.bfly.f32", b.getF32Type(),
                {i32(-1), value, i32(mask), i32(31)});
  }
  Value sameInWarp(ImplicitLocOpBuilder& b, Value value) const override {
    auto i32 = [&](int64_t number) -> Value { return arith::ConstantIntOp::create(b, number, 32); };
    return call(b, "llvm.nvvm.shfl.sync.idx.i32", b.getI32Type(),
                {i32(-1), value, i32(0), i32(31)});
  }
  Value powerOfTwo(ImplicitLocOpBuilder& b, Value x) const override {
    return call(b, "llvm.nvvm.ex2.approx.ftz.f", b.getF32Type(), {x});
  }
  void copyLater(ImplicitLocOpBuilder& b, Value to, Value from, int64_t bytes,
                 Value count) const override {
    std::string name = bytes == 16 ? "llvm.nvvm.cp.async.cg.shared.global.16"
                                   : "llvm.nvvm.cp.async.ca.shared.global.4";
    SmallVector<Value> arguments = {to, from};
    if (count) {
      name += ".s";
      arguments.push_back(count);
    }
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr(name), arguments);
  }
  void closeCopies(ImplicitLocOpBuilder& b) const override {
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.commit.group"),
                                  ValueRange());
  }
  void waitForCopies(ImplicitLocOpBuilder& b, int64_t later) const override {
    if (later == 0) {
      LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.wait.all"),
                                    ValueRange());
      return;
    }
    assembly(b, "cp.async.wait_group " + llvm::Twine(later) + ";", "~{memory}", TypeRange(),
             ValueRange());
  }
  bool hasPairs() const override { return true; }
  SmallVector<Value> multiplyPairs(ImplicitLocOpBuilder& b, ArrayRef<Value> left,
                                   ArrayRef<Value> right, ArrayRef<Value> sums) const override {
    SmallVector<Value> arguments(left);
    arguments.append(right.begin(), right.end());
    arguments.append(sums.begin(), sums.end());
    return callForFour(b, "llvm.nvvm.mma.m16n8k16.row.col.bf16", b.getF32Type(), arguments);
  }
  SmallVector<Value> loadTiles(ImplicitLocOpBuilder& b, Value address,
                               bool transposed) const override {
    return callForFour(b,
                       transposed ? "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3"
                                  : "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3",
                       b.getI32Type(), address);
  }
  void meetWarp(ImplicitLocOpBuilder& b) const override {
    assembly(b, "bar.warp.sync 0xffffffff;", "~{memory}", TypeRange(), ValueRange());
  }
  // (Machines whose threads are put aside have it too.)
  bool hasTileStores() const override { return waits; }
  void storeTiles(ImplicitLocOpBuilder& b, Value address, ArrayRef<Value> pairs) const override {
    Value place = LLVM::PtrToIntOp::create(b, b.getI32Type(), address);
    SmallVector<Value> arguments = {place};
    arguments.append(pairs.begin(), pairs.end());
    assembly(b, "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [$0], {$1,$2,$3,$4};",
             "r,r,r,r,r,~{memory}", TypeRange(), arguments);
  }
  bool hasGroups() const override { return groups; }
  void seeMatrices(ImplicitLocOpBuilder& b) const override {
    assembly(b, "fence.proxy.async.shared::cta;", "~{memory}", TypeRange(), ValueRange());
  }
  SmallVector<Value> beginGroup(ImplicitLocOpBuilder& b, ArrayRef<GroupMatrix> matrices,
                                ArrayRef<GroupStep> steps, ArrayRef<Value> sums,
                                int64_t lanes) const override;
  SmallVector<Value> finishGroup(ImplicitLocOpBuilder& b, ArrayRef<Value> sums,
                                 int64_t later) const override;
  // (One conversion of two; one of a single number goes through a slower unit.)
  Value roundPair(ImplicitLocOpBuilder& b, Value low, Value high) const override {
    Type pair = VectorType::get(2, b.getBF16Type());
    Value rounded = call(b, "llvm.nvvm.ff2bf16x2.rn", pair, {high, low});
    return LLVM::BitcastOp::create(b, b.getI32Type(), rounded);
  }
  Value transposeTile(ImplicitLocOpBuilder& b, Value pair) const override {
    return assembly(b, "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "=r,r", b.getI32Type(),
                    ValueRange{pair})
        .getResult(0);
  }
  Value shared(ImplicitLocOpBuilder& b) const override {
    auto module = b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
    auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
    if (!global) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      global = LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(b.getI8Type(), 0),
                                      /*isConstant=*/false, LLVM::Linkage::External, name,
                                      Attribute(), groups ? 1024 : 128, /*addrSpace=*/3);
    }
    return LLVM::AddressOfOp::create(b, global);
  }
  unsigned globalSpace() const override { return 1; }

private:
  /// Whether threads that wait for a signal are put aside meanwhile.
  bool waits;
  /// Whether there is wgmma.
  bool groups;
  static constexpr const char* name = "ssmc_shared";
  static Value call(ImplicitLocOpBuilder& b, StringRef intrinsic, Type type, ValueRange arguments) {
    return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(intrinsic), arguments)
        .getResult(0);
  }
  static LLVM::InlineAsmOp assembly(ImplicitLocOpBuilder& b, const llvm::Twine& text,
                                    const llvm::Twine& constraints, TypeRange results,
                                    ValueRange arguments) {
    return LLVM::InlineAsmOp::create(b, results, arguments, text.str(), constraints.str(),
                                     /*has_side_effects=*/true, /*is_align_stack=*/false,
                                     LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  }
  static SmallVector<Value> assemblyOfSums(ImplicitLocOpBuilder& b, const llvm::Twine& text,
                                           const llvm::Twine& constraints, int64_t sums,
                                           ValueRange arguments);
  static SmallVector<Value> callForFour(ImplicitLocOpBuilder& b, StringRef intrinsic, Type type,
                                        ValueRange arguments) {
    Type four = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, type));
    Value all = call(b, intrinsic, four, arguments);
    SmallVector<Value> results;
    for (int64_t i = 0; i < 4; ++i)
      results.push_back(LLVM::ExtractValueOp::create(b, all, i));
    return results;
  }
};

/// Sums as results of assembly, each in the place of an argument where there are any.
static std::string constraintsOf(int64_t sums, bool areArguments) {
  std::string constraints;
  for (int64_t i = 0; i < sums; ++i)
    constraints += i ? ",=f" : "=f";
  for (int64_t i = 0; areArguments && i < sums; ++i)
    constraints += "," + std::to_string(i);
  return constraints;
}

SmallVector<Value> NVVMMachine::assemblyOfSums(ImplicitLocOpBuilder& b, const llvm::Twine& text,
                                               const llvm::Twine& constraints, int64_t sums,
                                               ValueRange arguments) {
  Type all =
      LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(sums, b.getF32Type()));
  Value made = assembly(b, text, constraints + ",~{memory}", all, arguments).getResult(0);
  SmallVector<Value> results;
  for (int64_t i = 0; i < sums; ++i)
    results.push_back(LLVM::ExtractValueOp::create(b, made, i));
  return results;
}

/// (PTX ISA 9.0, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate".)
SmallVector<Value> NVVMMachine::beginGroup(ImplicitLocOpBuilder& b, ArrayRef<GroupMatrix> matrices,
                                           ArrayRef<GroupStep> steps, ArrayRef<Value> sums,
                                           int64_t lanes) const {
  int64_t count = lanes / 2;
  SmallVector<Value> arguments(sums);
  std::string constraints = constraintsOf(count, !sums.empty());
  llvm::DenseMap<Value, int64_t> numbers;
  auto numberOf = [&](Value argument) {
    auto [found, isNew] = numbers.try_emplace(argument, count + arguments.size());
    if (isNew) {
      arguments.push_back(argument);
      constraints += ",r";
    }
    return "$" + std::to_string(found->second);
  };
  // Matrix descriptors, in units of 16 bytes: where it begins and from one panel to the next; from
  // eight rows of a panel to the next eight, and, as a number, how pieces are exchanged.
  SmallVector<std::pair<Value, uint32_t>> descriptors;
  for (const GroupMatrix& matrix : matrices) {
    uint32_t kind = matrix.panel == 128 ? 1 : matrix.panel == 64 ? 2 : 3;
    Value place = LLVM::PtrToIntOp::create(b, b.getI32Type(), matrix.address);
    place = arith::ShRUIOp::create(b, place, arith::ConstantIntOp::create(b, 4, 32));
    Value apart = arith::ConstantIntOp::create(b, matrix.apart / 16 << 16, 32);
    descriptors.push_back(
        {arith::OrIOp::create(b, place, apart), kind << 30 | uint32_t(8 * matrix.panel / 16)});
  }
  std::string text = "{\n\t.reg .b32 low;\n\t.reg .b64 left, right;\n\t.reg .pred adds, starts;"
                     "\n\tsetp.eq.u32 adds, 0, 0;\n\tsetp.ne.u32 starts, 0, 0;"
                     "\n\twgmma.fence.sync.aligned;";
  auto describe = [&](StringRef name, int64_t matrix, int64_t offset) {
    auto [low, high] = descriptors[matrix];
    text += "\n\tadd.u32 low, " + numberOf(low) + ", " + std::to_string(offset / 16) +
            ";\n\tmov.b64 " + name.str() + ", {low, " + std::to_string(high) + "};";
  };
  for (auto [number, step] : llvm::enumerate(steps)) {
    bool isMatrix = step.leftMatrix >= 0;
    if (isMatrix)
      describe("left", step.leftMatrix, step.leftOffset);
    describe("right", step.matrix, step.offset);
    text += "\n\twgmma.mma_async.sync.aligned.m64n" + std::to_string(lanes) + "k16.f32.bf16.bf16 {";
    for (int64_t i = 0; i < count; ++i)
      text += (i ? ",$" : "$") + std::to_string(i);
    text += isMatrix ? "}, left" : "}, {";
    for (auto [i, pair] : llvm::enumerate(step.left))
      text += (i ? "," : "") + numberOf(pair);
    text += isMatrix ? ", right, " : "}, right, ";
    text += number || !sums.empty() ? "adds" : "starts";
    text += ", 1, 1, ";
    if (isMatrix)
      text += matrices[step.leftMatrix].byLanes ? "1, " : "0, ";
    text += matrices[step.matrix].byLanes ? "1;" : "0;";
  }
  text += "\n\twgmma.commit_group.sync.aligned;\n\t}";
  return assemblyOfSums(b, text, constraints, count, arguments);
}

SmallVector<Value> NVVMMachine::finishGroup(ImplicitLocOpBuilder& b, ArrayRef<Value> sums,
                                            int64_t later) const {
  return assemblyOfSums(b, "wgmma.wait_group.sync.aligned " + llvm::Twine(later) + ";",
                        constraintsOf(sums.size(), true), sums.size(), sums);
}

} // namespace

const simt::Machine& cuda::machine(const TargetSpec& target) {
  // (From sm_90 on threads are put aside; sm_90a alone has wgmma.)
  static const NVVMMachine waiting(true, false), asking(false, false), grouped(true, true);
  StringRef arch = target.arch;
  return target.hasGroups() ? grouped : arch.starts_with("sm_8") ? asking : waiting;
}

static std::unique_ptr<llvm::TargetMachine> makeMachine(const TargetSpec& target,
                                                        std::string& error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(triple, target.arch, target.features(), options, llvm::Reloc::PIC_,
                                 std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// A comment with what launching each kernel needs to know, which PTX has no words for: shared
/// memory is given by the launch, workspace by the caller.
static void describe(llvm::raw_ostream& os, StringRef comment, ArrayRef<simt::KernelInfo> kernels) {
  for (const simt::KernelInfo& info : kernels)
    os << comment << " kernel " << info.name << ": threads " << info.threads << ", slices "
       << info.slices << ", shared_bytes " << info.sharedBytes << ", shared_tile "
       << info.sharedTile << ", workspace_bytes " << info.workspaceBytes
       << ", workspace_per_column " << info.workspacePerColumn << ", aligned "
       << !info.aligned.empty() << '\n';
}

/// A module's functions, optimised, as PTX.
static bool emitModule(llvm::Module& module, const TargetSpec& target, std::string& text,
                       std::string& error) {
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target, error);
  if (!machine)
    return false;
  ssmc::target::optimise(module, *machine, /*unrollsLoops=*/true);
  llvm::SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager emit;
  if (machine->addPassesToEmitFile(emit, stream, nullptr, llvm::CodeGenFileType::AssemblyFile)) {
    error = "this target cannot emit PTX";
    return false;
  }
  emit.run(module);
  text.assign(buffer.begin(), buffer.end());
  return true;
}

/// The functions of kernels, side by side: each in a module and a context of its own. Their texts
/// follow each other below one head; that they share one piece of memory is said in it.
static bool emitKernels(llvm::Module& module, ArrayRef<simt::KernelInfo> kernels,
                        const TargetSpec& target, llvm::raw_ostream& os, std::string& error) {
  // (Tables that functions read would have to be said once for all of them.)
  if (kernels.size() == 1 || module.global_size() > 1) {
    std::string text;
    bool isDone = emitModule(module, target, text, error);
    os << text;
    return isDone;
  }
  llvm::SmallVector<char, 0> bitcode;
  llvm::raw_svector_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(module, stream);
  llvm::MemoryBufferRef reference(StringRef(bitcode.data(), bitcode.size()), "kernels");
  std::vector<std::string> texts(kernels.size()), errors(kernels.size());
  llvm::parallelFor(0, kernels.size(), [&](size_t number) {
    llvm::LLVMContext context;
    llvm::Expected<std::unique_ptr<llvm::Module>> own = llvm::parseBitcodeFile(reference, context);
    if (!own) {
      errors[number] = llvm::toString(own.takeError());
      return;
    }
    for (const simt::KernelInfo& other : kernels)
      if (other.name != kernels[number].name)
        (*own)->getFunction(other.name)->eraseFromParent();
    emitModule(**own, target, texts[number], errors[number]);
  });
  for (auto [number, text] : llvm::enumerate(texts)) {
    if (!errors[number].empty()) {
      error = errors[number];
      return false;
    }
    // Up to its first function each text says the same.
    StringRef body = text;
    size_t first = body.find(".visible .entry");
    os << (number == 0 ? body : body.drop_front(std::min(first, body.size())));
  }
  return true;
}

std::optional<std::vector<simt::KernelInfo>> cuda::plan(ModuleOp module, const TargetSpec& target,
                                                        int64_t items) {
  MLIRContext* context = module.getContext();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                  scf::SCFDialect>();
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();

  simt::Limits limits;
  limits.sharedBytes = target.sharedBytes();
  limits.items = items;
  std::vector<simt::KernelInfo> infos;
  for (tile::KernelOp kernel : llvm::to_vector(module.getOps<tile::KernelOp>())) {
    FailureOr<simt::KernelInfo> info = simt::lowerKernel(kernel, cuda::machine(target), limits);
    if (failed(info))
      return std::nullopt;
    infos.push_back(*info);
    kernel.erase();
  }
  return infos;
}

std::optional<Image> cuda::compile(ModuleOp module, const TargetSpec& target, int64_t items,
                                   bool llvmText, std::string& error) {
  MLIRContext* context = module.getContext();
  std::optional<std::vector<simt::KernelInfo>> kernels = plan(module, target, items);
  if (!kernels) {
    error = "lowering to a program of threads failed";
    return std::nullopt;
  }
  Image image;
  image.kernels = std::move(*kernels);
  PassManager manager(context);
  manager.addPass(createCSEPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  if (failed(manager.run(module))) {
    error = "lowering to the LLVM dialect failed";
    return std::nullopt;
  }
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(module, llvmContext, "ssmc");
  if (!translated) {
    error = "translation to LLVM IR failed";
    return std::nullopt;
  }
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target, error);
  if (!machine)
    return std::nullopt;
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  // Assembly is of instructions that a warp's threads run together: no path may be cut out for some
  // of them. (MLIR has no word for that.)
  for (llvm::Function& function : *translated)
    for (llvm::BasicBlock& block : function)
      for (llvm::Instruction& instruction : block)
        if (auto* asmCall = llvm::dyn_cast<llvm::CallInst>(&instruction);
            asmCall && asmCall->isInlineAsm())
          asmCall->setConvergent();
  for (const simt::KernelInfo& info : image.kernels) {
    llvm::Function* function = translated->getFunction(info.name);
    function->setCallingConv(llvm::CallingConv::PTX_Kernel);
    function->addFnAttr("nvvm.maxntid", std::to_string(info.threads));
    if (info.residentBlocks > 1)
      function->addFnAttr("nvvm.minctasm", std::to_string(info.residentBlocks));
    function->addFnAttr(llvm::Attribute::NoUnwind);
  }

  llvm::raw_string_ostream stream(image.code);
  describe(stream, llvmText ? ";" : "//", image.kernels);
  if (llvmText) {
    ssmc::target::optimise(*translated, *machine, /*unrollsLoops=*/true);
    translated->print(stream, nullptr);
    return image;
  }
  return emitKernels(*translated, image.kernels, target, stream, error) ? std::optional(image)
                                                                        : std::nullopt;
}
