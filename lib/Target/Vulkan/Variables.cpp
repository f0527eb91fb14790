// What variables of a module must say.
//
// - One memory may be seen as arrays of different elements: each view of an array is a variable of
//   its own, with the same binding, and all of them are aliases.
// - Parameters may lie in one allocation. What one invocation writes to memory others read, past
//   barriers; which caches that passes is told by variables in the older memory model, and by
//   accesses and barriers in Vulkan's, which matrices need.
// - Where a kernel reads none of what it writes, barriers need not wait for the caller's memory.
//
// What a kernel only reads is told apart no further: with such arrays marked as not writable, and
// their reads as nobody else's matter, the gradient of KDA was wrong on an H200 (driver 580.159).
#include "Machine.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"

#include <map>

using namespace mlir;
using namespace ssmc;

void vulkan::resolveViews(spirv::ModuleOp module) {
  SmallVector<UnrealizedConversionCastOp> casts;
  module.walk([&](UnrealizedConversionCastOp cast) { casts.push_back(cast); });
  std::map<std::pair<int64_t, const void*>, spirv::GlobalVariableOp> views;
  for (UnrealizedConversionCastOp cast : casts) {
    auto array = mlir::cast<BlockArgument>(cast.getOperand(0));
    auto function = mlir::cast<spirv::FuncOp>(array.getOwner()->getParentOp());
    auto binding = function.getArgAttrOfType<spirv::InterfaceVarABIAttr>(
        array.getArgNumber(), spirv::getInterfaceVarABIAttrName());
    Type type = cast.getType(0);
    OpBuilder b(cast);
    spirv::GlobalVariableOp& view = views[{binding.getBinding(), type.getAsOpaquePointer()}];
    if (!view) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(function);
      view = spirv::GlobalVariableOp::create(b, cast.getLoc(), type,
                                             "view_" + std::to_string(views.size()),
                                             binding.getDescriptorSet(), binding.getBinding());
    }
    b.setInsertionPointToStart(&function.getBody().front());
    cast.getResult(0).replaceAllUsesWith(spirv::AddressOfOp::create(b, cast.getLoc(), view));
    cast.erase();
  }
}

/// Whether anything is read or, if asked for, written through a pointer.
static bool isAccessed(Value pointer, bool writes) {
  return llvm::any_of(pointer.getUsers(), [&](Operation* user) {
    if (isa<spirv::AccessChainOp>(user))
      return isAccessed(user->getResult(0), writes);
    bool reads = isa<spirv::LoadOp, spirv::KHRCooperativeMatrixLoadOp>(user);
    return writes ? !reads : reads;
  });
}

void vulkan::describeMemory(spirv::ModuleOp module) {
  bool hasModel = module.getMemoryModel() == spirv::MemoryModel::Vulkan;
  // (Views of a binding are one array.)
  llvm::DenseSet<int64_t> written, read;
  llvm::DenseMap<StringRef, spirv::GlobalVariableOp> variables;
  for (auto variable : module.getOps<spirv::GlobalVariableOp>())
    variables[variable.getSymName()] = variable;
  module.walk([&](spirv::AddressOfOp address) {
    spirv::GlobalVariableOp variable = variables.lookup(address.getVariable());
    if (!variable.getBinding())
      return;
    if (isAccessed(address, /*writes=*/true))
      written.insert(*variable.getBinding());
    if (isAccessed(address, /*writes=*/false))
      read.insert(*variable.getBinding());
  });
  // (Atomic operations are for whoever reads an array after the kernel.)
  if (llvm::none_of(written, [&](int64_t binding) { return read.contains(binding); }))
    module.walk([&](spirv::ControlBarrierOp barrier) {
      barrier.setMemorySemantics(
          spirv::bitEnumClear(barrier.getMemorySemantics(), spirv::MemorySemantics::UniformMemory));
    });
  auto unit = UnitAttr::get(module.getContext());
  for (auto& [name, variable] : variables) {
    if (variable.storageClass() != spirv::StorageClass::StorageBuffer)
      continue;
    variable->setAttr("aliased", unit);
    if (!hasModel)
      variable->setAttr("coherent", unit);
  }
  // Bits of a word that others change meanwhile are all that atomic operations are for.
  module.walk([&](Operation* op) {
    if (isa<spirv::AtomicAndOp, spirv::AtomicOrOp>(op))
      op->setAttr("semantics", spirv::MemorySemanticsAttr::get(module.getContext(),
                                                               spirv::MemorySemantics::None));
  });
  if (!hasModel)
    return;
  auto shared =
      spirv::MemoryAccessAttr::get(module.getContext(), spirv::MemoryAccess::NonPrivatePointer);
  module.walk([&](Operation* op) {
    if (!isa<spirv::LoadOp, spirv::StoreOp>(op))
      return;
    auto chain = op->getOperand(0).getDefiningOp<spirv::AccessChainOp>();
    auto address = chain ? chain.getBasePtr().getDefiningOp<spirv::AddressOfOp>() : nullptr;
    if (address && variables.contains(address.getVariable()))
      op->setAttr(isa<spirv::LoadOp>(op) ? cast<spirv::LoadOp>(op).getMemoryAccessAttrName()
                                         : cast<spirv::StoreOp>(op).getMemoryAccessAttrName(),
                  shared);
  });
  // Devices need not have the scope of all of a device in this model.
  module.walk([&](Operation* op) {
    if (auto scope = op->getAttrOfType<spirv::ScopeAttr>("memory_scope");
        scope && scope.getValue() == spirv::Scope::Device)
      op->setAttr("memory_scope",
                  spirv::ScopeAttr::get(module.getContext(), spirv::Scope::QueueFamily));
  });
}
