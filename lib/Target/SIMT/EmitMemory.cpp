// Elements in memory, and where the block's own places lie.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

Value KernelEmitter::gep(Value base, Type unit, Value index) {
  return LLVM::GEPOp::create(b, base.getType(), unit, base, ValueRange{index});
}

/// Truth values are stored as bytes.
static Type stored(OpBuilder& b, Type storage) {
  return storage.isInteger(1) ? b.getI8Type() : storage;
}

static int64_t bytesOf(Type storage) {
  return std::max<int64_t>(1, storage.getIntOrFloatBitWidth() / 8);
}

void KernelEmitter::touch(const Buffer& buffer) {
  if (buffer.id < 0)
    return;
  Place& place = places[buffer.id];
  place.last = std::max(place.last, clock);
  // What is older than a loop must last until the loop ends.
  for (Loop& loop : loops)
    if (place.first < loop.start) {
      loop.touched.insert(buffer.id);
      break;
    }
}

void KernelEmitter::enterLoop() {
  loops.push_back({++clock, {}});
}

void KernelEmitter::leaveLoop() {
  ++clock;
  for (int id : loops.back().touched) {
    places[id].last = std::max(places[id].last, clock);
  }
  loops.pop_back();
}

/// In panels: rows of `panel` bytes, all rows of a panel before the next one, and of each eight
/// pieces of 16 bytes the numbers in a row exchanged by what lies above 128 bytes.
Value KernelEmitter::addressInPanels(const Buffer& buffer, const Point& point) {
  const Dim &down = buffer.dims[0], &across = buffer.dims[1];
  Index row = *point.find(down.label), lane = *point.find(across.label);
  int64_t lanes = buffer.panel / 2;
  // (Eight rows further on, or a panel, pieces are exchanged alike.)
  int64_t rowsOn = row.constant & -8, lanesOn = lane.constant & -lanes;
  int64_t constant = rowsOn * buffer.panel + lanesOn / lanes * down.extent * buffer.panel;
  row.constant -= rowsOn;
  lane.constant -= lanesOn;
  Value bytes = arith::MulIOp::create(b, indexValue(row), i32(buffer.panel));
  Value inRow = indexValue(lane);
  if (across.extent > lanes && lane.dynamic) {
    Value panel = arith::DivUIOp::create(b, inRow, i32(lanes));
    inRow = arith::RemUIOp::create(b, inRow, i32(lanes));
    bytes = arith::AddIOp::create(b, bytes,
                                  arith::MulIOp::create(b, panel, i32(down.extent * buffer.panel)));
  }
  bytes = arith::AddIOp::create(b, bytes, arith::MulIOp::create(b, inRow, i32(2)));
  Value above = arith::AndIOp::create(b, arith::ShRUIOp::create(b, bytes, i32(7)),
                                      i32(buffer.panel / 16 - 1));
  bytes = arith::XOrIOp::create(b, bytes, arith::ShLIOp::create(b, above, i32(4)));
  Value place = gep(buffer.base, b.getI8Type(), bytes);
  return constant ? gep(place, b.getI8Type(), i32(constant)) : place;
}

Value KernelEmitter::address(const Buffer& buffer, const Point& point) {
  if (buffer.panel)
    return addressInPanels(buffer, point);
  int64_t constant = 0;
  Value offset, far;
  for (const Dim& dim : buffer.dims) {
    const Index* index = point.find(dim.label);
    assert(index && "a label of a buffer has no index");
    if (dim.dynamicStride) {
      Value at = arith::ExtSIOp::create(b, b.getI64Type(), indexValue(*index));
      Value term = arith::MulIOp::create(b, at, dim.dynamicStride);
      far = far ? arith::AddIOp::create(b, far, term) : term;
      continue;
    }
    constant += index->constant * dim.stride;
    if (!index->dynamic)
      continue;
    Value term = dim.stride == 1
                     ? index->dynamic
                     : arith::MulIOp::create(b, index->dynamic, i32(dim.stride)).getResult();
    offset = offset ? arith::AddIOp::create(b, offset, term).getResult() : term;
  }
  Type unit = stored(b, buffer.storage);
  Value place = buffer.base;
  if (far)
    place = gep(place, unit, far);
  if (offset)
    place = gep(place, unit, offset);
  if (constant)
    place = gep(place, unit, i32(constant));
  return place;
}

Value KernelEmitter::load(const Buffer& buffer, const Point& point) {
  touch(buffer);
  Type unit = stored(b, buffer.storage);
  Value raw = LLVM::LoadOp::create(b, unit, address(buffer, point), bytesOf(buffer.storage));
  if (buffer.element.isInteger(1) && !raw.getType().isF32()) {
    Value zero = arith::ConstantIntOp::create(b, raw.getType(), 0);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, raw, zero);
  }
  if (isa<FloatType>(unit) && unit != buffer.element && isa<FloatType>(buffer.element))
    return arith::ExtFOp::create(b, buffer.element, raw);
  return raw;
}

void KernelEmitter::store(const Buffer& buffer, const Point& point, Value value) {
  touch(buffer);
  Type unit = stored(b, buffer.storage);
  if (buffer.storage.isInteger(1) || (isa<IntegerType>(unit) && buffer.element.isInteger(1))) {
    if (!value.getType().isInteger(1)) {
      Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
      value = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, value, zero);
    }
    value = arith::ExtUIOp::create(b, unit, value);
  } else if (isa<FloatType>(unit)) {
    if (value.getType().isInteger(1))
      value = arith::UIToFPOp::create(b, b.getF32Type(), value);
    else if (isa<IntegerType>(value.getType()))
      value = arith::SIToFPOp::create(b, b.getF32Type(), value);
    if (unit.isBF16() && value.getType().isF32()) {
      // (Halves of a pair: as a pair they are rounded.)
      unit = b.getI16Type();
      value = arith::TruncIOp::create(b, unit, machine.roundPair(b, value, value));
    } else if (value.getType() != unit)
      value = arith::TruncFOp::create(b, unit, value);
  }
  LLVM::StoreOp::create(b, value, address(buffer, point), bytesOf(buffer.storage));
}

/// The label along which the elements of a run lie side by side; none if there is no such.
static StringRef labelOf(ArrayRef<std::pair<Point, Value>> run) {
  StringRef label;
  for (auto& [name, first] : run.front().first.indices) {
    const Index* second = run[1].first.find(name);
    if (second->dynamic == first.dynamic && second->constant == first.constant)
      continue;
    if (!label.empty() || second->dynamic != first.dynamic ||
        second->constant != first.constant + 1)
      return {};
    label = name;
  }
  return label;
}

Value KernelEmitter::vectorOf(ArrayRef<Value> elements) {
  Value all =
      LLVM::PoisonOp::create(b, VectorType::get(elements.size(), elements.front().getType()));
  for (auto [i, element] : llvm::enumerate(elements))
    all = LLVM::InsertElementOp::create(b, all, element, i32(i));
  return all;
}

void KernelEmitter::storeRun(const Buffer& buffer, Run run) {
  int64_t count = run.size(), bytes = bytesOf(buffer.storage);
  auto canStoreAtOnce = [&] {
    if (count == 1 || machine.hasWordsOnly() || !buffer.isAligned || count * bytes > 16 ||
        !(buffer.storage.isF32() || buffer.storage.isBF16()) ||
        !llvm::all_of(run, [](auto& one) { return one.second.getType().isF32(); }))
      return false;
    StringRef label = labelOf(run);
    // (Strides of the caller's that are not known here are multiples of 16 bytes.)
    return !label.empty() && llvm::all_of(buffer.dims, [&](const Dim& dim) {
      return dim.dynamicStride ? dim.label != label
                               : (dim.label == label ? dim.stride == 1 : dim.stride % count == 0);
    });
  };
  if (!canStoreAtOnce()) {
    for (auto& [point, value] : run)
      store(buffer, point, value);
    return;
  }
  touch(buffer);
  SmallVector<Value> parts;
  if (buffer.storage.isF32()) {
    for (auto& [point, value] : run)
      parts.push_back(value);
  } else {
    for (int64_t i = 0; i < count; i += 2)
      parts.push_back(machine.roundPair(b, run[i].second, run[i + 1].second));
  }
  Value all = parts.size() == 1 ? parts.front() : vectorOf(parts);
  LLVM::StoreOp::create(b, all, address(buffer, run.front().first), count * bytes);
}

/// Labels of `order` last, its last one contiguous. Before them steps, which are rows of the
/// caller's arrays too, and then the others: arrays that meet lie alike.
SmallVector<ssm::AxisAttr> KernelEmitter::placedAxes(ssm::ArrayType type,
                                                     ArrayRef<StringRef> order) {
  SmallVector<ssm::AxisAttr> axes;
  for (bool isStep : {true, false})
    for (ssm::AxisAttr axis : type.getAxes())
      if (stepLabels.contains(axis.getName()) == isStep &&
          !llvm::is_contained(order, axis.getName()))
        axes.push_back(axis);
  for (StringRef label : order)
    if (ssm::AxisAttr axis = type.find(label))
      axes.push_back(axis);
  return axes;
}

int64_t KernelEmitter::bytesOfPlace(ArrayRef<ssm::AxisAttr> axes, Type storage,
                                    SmallVectorImpl<int64_t>* strides) {
  int64_t stride = 1, bytes = bytesOf(storage);
  for (size_t i = axes.size(); i-- > 0;) {
    if (strides)
      strides->insert(strides->begin(), stride);
    stride *= axes[i].getSize();
    // Rows that share banks are set apart by four: then what the threads of a warp read of a
    // tile, by rows or by columns, lies in different banks.
    if (axes.size() == 1 || i + 1 != axes.size() || stride * bytes % 32 != 0)
      continue;
    if (roundsProducts)
      stride += (bytes > 2 ? 32 : 16) / bytes;
    else if (hasBlocks && stride >= 16)
      // (Four elements that are read at once must begin at multiples of 16 bytes.)
      stride += machine.hasWordsOnly() ? 1 : 16 / bytes;
  }
  return (stride * bytes + 15) / 16 * 16;
}

/// Whether a matrix of bf16 can lie in panels.
static bool isForPanels(const Buffer& buffer) {
  return buffer.dims.size() == 2 && buffer.dims[0].extent % 8 == 0 &&
         buffer.dims[1].extent % 16 == 0;
}

Buffer KernelEmitter::makeBuffer(ssm::ArrayType type, ArrayRef<StringRef> order, Type storage) {
  Buffer buffer;
  buffer.id = places.size();
  buffer.element = type.getElementType();
  buffer.storage = storage ? storage : buffer.element;
  if (machine.hasWordsOnly() && buffer.storage.getIntOrFloatBitWidth() < 32)
    buffer.storage = buffer.element.isInteger(1) ? b.getI32Type() : Type(b.getF32Type());
  if (!machine.hasBytes() && buffer.storage.isInteger(1))
    buffer.storage = b.getI32Type();
  buffer.isAligned = true;
  SmallVector<ssm::AxisAttr> axes = placedAxes(type, order);
  SmallVector<int64_t> strides;
  int64_t bytes = bytesOfPlace(axes, buffer.storage, &strides);
  for (auto [axis, stride] : llvm::zip(axes, strides))
    buffer.dims.push_back(Dim{axis.getName(), axis.getSize(), stride, Value()});
  Place& place = places.emplace_back();
  place.bytes = bytes;
  place.first = place.last = clock;
  place.isSide = roundsProducts && buffer.storage.isBF16();
  OpBuilder::InsertionGuard guard(b);
  b.restoreInsertionPoint(entryPoint);
  bool away = inWorkspace.contains(buffer.id);
  if (inPanels && place.isSide && !away && isForPanels(buffer))
    layInPanels(buffer);
  Value offset = away ? i64(0) : i32(0);
  place.offset = offset.getDefiningOp();
  buffer.base = gep(away ? blockSpace : shared, b.getI8Type(), offset);
  entryPoint = b.saveInsertionPoint();
  return buffer;
}

Buffer KernelEmitter::makePanels(ssm::ArrayType type, ArrayRef<StringRef> order) {
  Buffer buffer = makeBuffer(type, order, b.getBF16Type());
  layInPanels(buffer);
  return buffer;
}

void KernelEmitter::layInPanels(Buffer& buffer) {
  const Dim &down = buffer.dims[0], &across = buffer.dims[1];
  buffer.panel = std::min<int64_t>(2 * across.extent & -(2 * across.extent), 128);
  Place& place = places[buffer.id];
  place.alignment = 1024;
  place.bytes = llvm::alignTo(down.extent * across.extent * 2, place.alignment);
}

Machine::GroupMatrix KernelEmitter::groupMatrixOf(const Buffer& buffer, StringRef lanes) {
  assert(buffer.panel && "a matrix that is not in panels");
  touch(buffer);
  return {buffer.base, buffer.panel, buffer.dims[0].extent * buffer.panel,
          buffer.dims[1].label == lanes};
}

/// First fit, largest places first: two places overlap in memory only if they do not in time.
static int64_t packPlaces(ArrayRef<Place*> places) {
  SmallVector<Place*> sorted(places);
  llvm::stable_sort(sorted, [](Place* x, Place* y) { return x->bytes > y->bytes; });
  SmallVector<Place*> done;
  int64_t total = 0;
  for (Place* place : sorted) {
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (Place* other : done)
      if (other->first <= place->last && place->first <= other->last)
        taken.push_back({other->position, other->position + other->bytes});
    llvm::sort(taken);
    int64_t position = 0;
    for (auto [from, to] : taken) {
      if (from - position >= place->bytes)
        break;
      position = llvm::alignTo(std::max(position, to), place->alignment);
    }
    place->position = position;
    total = std::max(total, position + place->bytes);
    done.push_back(place);
  }
  return total;
}

int KernelEmitter::largestWhereMostIs(const llvm::DenseSet<int>& moved) {
  SmallVector<int> near;
  for (int id = 0; id < int(places.size()); ++id)
    if (!moved.contains(id))
      near.push_back(id);
  auto isInUse = [&](int id, int64_t when) {
    return places[id].first <= when && when <= places[id].last;
  };
  int64_t worst = 0, most = 0;
  for (int id : near) {
    int64_t sum = 0;
    for (int other : near)
      sum += isInUse(other, places[id].first) ? places[other].bytes : 0;
    if (sum > most) {
      most = sum;
      worst = places[id].first;
    }
  }
  // Sides of products are read many times over, and from the block's memory alone by tiles: last.
  int largest = -1;
  auto weight = [&](int id) { return std::pair(!places[id].isSide, places[id].bytes); };
  for (int id : near)
    if (isInUse(id, worst) && places[id].bytes >= 1024 &&
        (largest < 0 || weight(id) > weight(largest)))
      largest = id;
  return largest;
}

bool KernelEmitter::pack(llvm::DenseSet<int>& moved) {
  assert(moved == inWorkspace && "packs what has been emitted");
  auto packThose = [&](bool haveMoved) {
    SmallVector<Place*> some;
    for (auto [id, place] : llvm::enumerate(places))
      if (moved.contains(id) == haveMoved)
        some.push_back(&place);
    return packPlaces(some);
  };
  info.sharedBytes = packThose(false);
  info.workspaceBytes = packThose(true);
  auto patch = [&](Operation* constant, int64_t value) {
    auto op = cast<arith::ConstantOp>(constant);
    op.setValueAttr(b.getIntegerAttr(op.getType(), value));
  };
  for (Place& place : places)
    patch(place.offset, place.position);
  if (workspaceBytes)
    patch(workspaceBytes, info.workspaceBytes);
  if (info.sharedBytes <= limits.sharedBytes)
    return true;
  // One by one, until the others fit.
  for (int64_t bytes = info.sharedBytes; bytes > limits.sharedBytes; bytes = packThose(false)) {
    int largest = largestWhereMostIs(moved);
    if (largest < 0)
      break;
    moved.insert(largest);
  }
  return false;
}
