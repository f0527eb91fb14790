// What a machine that lacks something is never asked for.
#include "ssmc/Target/SIMT.h"

#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace ssmc::simt;

[[noreturn]] static void lacks(const char* what) {
  llvm::reportFatalInternalError(llvm::Twine("this machine has no ") + what);
}

Value Machine::exchange(ImplicitLocOpBuilder&, Value, int) const {
  lacks("threads that exchange values");
}
void Machine::copyLater(ImplicitLocOpBuilder&, Value, Value, int64_t, Value) const {
  lacks("copies");
}
void Machine::closeCopies(ImplicitLocOpBuilder&) const {
  lacks("copies without waiting");
}
void Machine::waitForCopies(ImplicitLocOpBuilder&, int64_t) const {
  lacks("copies");
}
void Machine::meet(ImplicitLocOpBuilder&, Value, int64_t) const {
  lacks("numbered meetings");
}
void Machine::makeSignal(ImplicitLocOpBuilder&, Value, int64_t) const {
  lacks("signals");
}
void Machine::arrive(ImplicitLocOpBuilder&, Value) const {
  lacks("signals");
}
void Machine::arriveAfterCopies(ImplicitLocOpBuilder&, Value) const {
  lacks("signals");
}
void Machine::waitFor(ImplicitLocOpBuilder&, Value, Value) const {
  lacks("signals");
}
Value Machine::powerOfTwo(ImplicitLocOpBuilder&, Value) const {
  lacks("powers of two of its own");
}
SmallVector<Value> Machine::multiplyPairs(ImplicitLocOpBuilder&, ArrayRef<Value>, ArrayRef<Value>,
                                          ArrayRef<Value>) const {
  lacks("products of pairs");
}
SmallVector<Value> Machine::multiplySquare(ImplicitLocOpBuilder& b, ArrayRef<Value> left,
                                           ArrayRef<Value> right, ArrayRef<Value> sums) const {
  SmallVector<Value> all = multiplyPairs(b, left, right.take_front(2), sums.take_front(4));
  llvm::append_range(all, multiplyPairs(b, left, right.drop_front(2), sums.drop_front(4)));
  return all;
}
SmallVector<Value> Machine::loadTiles(ImplicitLocOpBuilder&, Value, bool) const {
  lacks("products of pairs");
}
Value Machine::transposeTile(ImplicitLocOpBuilder&, Value) const {
  lacks("products of pairs");
}
void Machine::storeTiles(ImplicitLocOpBuilder&, Value, ArrayRef<Value>) const {
  lacks("products of pairs");
}
SmallVector<Value> Machine::beginGroup(ImplicitLocOpBuilder&, ArrayRef<GroupMatrix>,
                                       ArrayRef<GroupStep>, ArrayRef<Value>, int64_t) const {
  lacks("groups of warps that multiply");
}
SmallVector<Value> Machine::finishGroup(ImplicitLocOpBuilder&, ArrayRef<Value>, int64_t) const {
  lacks("groups of warps that multiply");
}
void Machine::seeMatrices(ImplicitLocOpBuilder&) const {
  lacks("groups of warps that multiply");
}
Value Machine::loadMatrix(ImplicitLocOpBuilder&, Value, int64_t, bool, bool) const {
  lacks("matrices");
}
Value Machine::loadSums(ImplicitLocOpBuilder&, Value, int64_t, bool) const {
  lacks("matrices");
}
Value Machine::fillSums(ImplicitLocOpBuilder&, Value) const {
  lacks("matrices");
}
Value Machine::combineSums(ImplicitLocOpBuilder&, Combine, Value, Value) const {
  lacks("matrices");
}
SmallVector<Value> Machine::splitSums(ImplicitLocOpBuilder&, Value) const {
  lacks("matrices");
}
Value Machine::joinSums(ImplicitLocOpBuilder&, ArrayRef<Value>) const {
  lacks("matrices");
}
SmallVector<Value> Machine::splitSide(ImplicitLocOpBuilder&, Value) const {
  lacks("matrices");
}
Value Machine::joinSide(ImplicitLocOpBuilder&, ArrayRef<Value>, bool) const {
  lacks("matrices");
}
Value Machine::multiplyMatrices(ImplicitLocOpBuilder&, Value, Value, Value) const {
  lacks("matrices");
}
void Machine::storeSums(ImplicitLocOpBuilder&, Value, Value, int64_t, bool) const {
  lacks("matrices");
}
void Machine::meetWarp(ImplicitLocOpBuilder&) const {
  lacks("matrices");
}
