// Decodes and does what the processor refuses. Encodings and semantics: Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2, and Instruction Set Extensions Programming
// Reference, chapter 3.
#include "TileEmulator.h"

#if defined(__linux__) && defined(__x86_64__)

#include <csignal>
#include <cstdint>
#include <cstring>
#include <ucontext.h>

static constexpr int rowCount = 16, rowBytes = 64;

static thread_local uint8_t tiles[8][rowCount][rowBytes];
static thread_local bool isConfigured = false;

namespace {

/// One instruction with a three-byte VEX prefix in opcode map 0F38.
class Instruction {
public:
  Instruction(const uint8_t* code, mcontext_t& machine) : machine(machine) {
    bool hasIndexBit = !(code[1] & 0x40), hasBaseBit = !(code[1] & 0x20);
    valid = code[0] == 0xc4 && (code[1] & 31) == 2;
    prefix = code[2] & 3;
    source = ~(code[2] >> 3) & 15;
    opcode = code[3];
    mode = code[4] >> 6;
    reg = code[4] >> 3 & 7;
    rm = code[4] & 7;
    length = 5;
    if (mode == 3)
      return;
    int base = rm;
    if (rm == 4) { // a SIB byte
      uint8_t sib = code[length++];
      int index = (sib >> 3 & 7) | hasIndexBit << 3;
      base = sib & 7;
      if (index != 4)
        stride = read(index) << (sib >> 6);
    }
    int64_t displacement = 0;
    if (mode == 1) {
      displacement = int8_t(code[length++]);
    } else if (mode == 2 || base == 5) {
      int32_t wide;
      memcpy(&wide, code + length, 4);
      length += 4;
      displacement = wide;
    }
    uint64_t start = 0;
    if (mode || base != 5)
      start = read(base | hasBaseBit << 3);
    else if (rm == 5)
      start = uint64_t(code) + length;
    address = reinterpret_cast<uint8_t*>(start + displacement);
  }

  bool run();
  int length = 0;

private:
  uint64_t read(int number) {
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
    return uint64_t(machine.gregs[places[number]]);
  }
  bool multiply();

  mcontext_t& machine;
  bool valid = false;
  int prefix = 0, source = 0, opcode = 0, mode = 0, reg = 0, rm = 0;
  uint8_t* address = nullptr;
  uint64_t stride = 0;
};

} // namespace

/// tiles[reg] += tiles[rm] * tiles[source]: rows of pairs by pairs of rows.
bool Instruction::multiply() {
  auto widen = [](const uint8_t* bytes) {
    uint32_t bits = uint32_t(bytes[0] | bytes[1] << 8) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  };
  for (int row = 0; row < rowCount; ++row)
    for (int column = 0; column < rowBytes / 4; ++column) {
      float sum;
      memcpy(&sum, &tiles[reg][row][4 * column], 4);
      for (int k = 0; k < 32; ++k)
        sum +=
            widen(&tiles[rm][row][2 * k]) * widen(&tiles[source][k / 2][4 * column + 2 * (k % 2)]);
      memcpy(&tiles[reg][row][4 * column], &sum, 4);
    }
  return true;
}

bool Instruction::run() {
  if (!valid)
    return false;
  bool isRegister = mode == 3;
  if (opcode == 0x49 && prefix == 0) { // LDTILECFG, TILERELEASE
    isConfigured = !isRegister;
    for (int tile = 0; tile < 8 && isConfigured; ++tile) {
      int bytes = address[16 + 2 * tile] | address[17 + 2 * tile] << 8, rows = address[48 + tile];
      isConfigured &= rows == 0 || (rows == rowCount && bytes == rowBytes);
    }
    memset(tiles, 0, sizeof tiles);
    return isRegister || isConfigured;
  }
  if (!isConfigured)
    return false;
  if (opcode == 0x49 && prefix == 3 && isRegister) { // TILEZERO
    memset(tiles[reg], 0, sizeof tiles[reg]);
    return true;
  }
  if (opcode == 0x4b && !isRegister && (prefix == 3 || prefix == 2)) { // TILELOADD, TILESTORED
    for (int row = 0; row < rowCount; ++row) {
      uint8_t *memory = address + stride * row, *tile = tiles[reg][row];
      memcpy(prefix == 3 ? tile : memory, prefix == 3 ? memory : tile, rowBytes);
    }
    return true;
  }
  return opcode == 0x5c && prefix == 2 && isRegister && multiply(); // TDPBF16PS
}

static void onIllegal(int, siginfo_t*, void* context) {
  mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  Instruction instruction(reinterpret_cast<const uint8_t*>(machine.gregs[REG_RIP]), machine);
  if (instruction.run())
    machine.gregs[REG_RIP] += instruction.length;
  else
    signal(SIGILL, SIG_DFL); // It comes again, and ends the program.
}

bool ssmc::test::emulateTiles() {
  struct sigaction action = {};
  action.sa_sigaction = onIllegal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

#else

bool ssmc::test::emulateTiles() {
  return false;
}

#endif
