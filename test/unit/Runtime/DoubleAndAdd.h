// A small kernel for the tests of Vulkan.
#pragma once

#include "ssmc/Runtime/Vulkan.h"

#include <iterator>

namespace ssmc::test {

// y[row * count + i] = 2 * a[row * count + i] + number, i below count, with a null pointer for
// zeros. Parameters: count, a (binding 1), a pointer that is not used, y (binding 2), number. These
// words come from `spirv-as --target-env spv1.3` of:
//
//                  OpCapability Shader
//                  OpMemoryModel Logical GLSL450
//                  OpEntryPoint GLCompute %main "double_and_add" %invocation %workgroup
//                  OpExecutionMode %main LocalSize 32 1 1
//                  OpDecorate %invocation BuiltIn GlobalInvocationId
//                  OpDecorate %workgroup BuiltIn WorkgroupId
//                  OpDecorate %array ArrayStride 4
//                  OpDecorate %block Block
//                  OpMemberDecorate %block 0 Offset 0
//                  OpDecorate %words DescriptorSet 0
//                  OpDecorate %words Binding 0
//                  OpDecorate %a DescriptorSet 0
//                  OpDecorate %a Binding 1
//                  OpDecorate %y DescriptorSet 0
//                  OpDecorate %y Binding 2
//          %void = OpTypeVoid
//          %bool = OpTypeBool
//          %uint = OpTypeInt 32 0
//        %vector = OpTypeVector %uint 3
//         %array = OpTypeRuntimeArray %uint
//         %block = OpTypeStruct %array
//    %to_builtin = OpTypePointer Input %vector
//      %to_block = OpTypePointer StorageBuffer %block
//       %to_uint = OpTypePointer StorageBuffer %uint
//      %function = OpTypeFunction %void
//             %0 = OpConstant %uint 0
//             %1 = OpConstant %uint 1
//             %2 = OpConstant %uint 2
//             %3 = OpConstant %uint 3
//             %4 = OpConstant %uint 4
//          %null = OpConstant %uint 0xffffffff
//    %invocation = OpVariable %to_builtin Input
//     %workgroup = OpVariable %to_builtin Input
//         %words = OpVariable %to_block StorageBuffer
//             %a = OpVariable %to_block StorageBuffer
//             %y = OpVariable %to_block StorageBuffer
//          %main = OpFunction %void None %function
//         %entry = OpLabel
//           %ids = OpLoad %vector %invocation
//             %i = OpCompositeExtract %uint %ids 0
//        %groups = OpLoad %vector %workgroup
//           %row = OpCompositeExtract %uint %groups 1
//      %to_count = OpAccessChain %to_uint %words %0 %0
//         %count = OpLoad %uint %to_count
//        %inside = OpULessThan %bool %i %count
//                  OpSelectionMerge %end None
//                  OpBranchConditional %inside %body %end
//          %body = OpLabel
//         %start = OpIMul %uint %row %count
//            %at = OpIAdd %uint %start %i
//    %to_a_bytes = OpAccessChain %to_uint %words %0 %1
//       %a_bytes = OpLoad %uint %to_a_bytes
//           %has = OpINotEqual %bool %a_bytes %null
//                  OpSelectionMerge %add None
//                  OpBranchConditional %has %load %add
//          %load = OpLabel
//       %a_words = OpShiftRightLogical %uint %a_bytes %2
//          %a_at = OpIAdd %uint %a_words %at
//          %to_a = OpAccessChain %to_uint %a %0 %a_at
//        %loaded = OpLoad %uint %to_a
//                  OpBranch %add
//           %add = OpLabel
//         %value = OpPhi %uint %0 %body %loaded %load
//         %twice = OpIMul %uint %value %2
//     %to_number = OpAccessChain %to_uint %words %0 %4
//        %number = OpLoad %uint %to_number
//           %sum = OpIAdd %uint %twice %number
//    %to_y_bytes = OpAccessChain %to_uint %words %0 %3
//       %y_bytes = OpLoad %uint %to_y_bytes
//       %y_words = OpShiftRightLogical %uint %y_bytes %2
//          %y_at = OpIAdd %uint %y_words %at
//          %to_y = OpAccessChain %to_uint %y %0 %y_at
//                  OpStore %to_y %sum
//                  OpBranch %end
//           %end = OpLabel
//                  OpReturn
//                  OpFunctionEnd
inline constexpr uint32_t doubleAndAddWords[] = {
    0x7230203, 0x10300, 0x70000, 0x36,    0,          0x20011,    1,          0x3000e, 0,
    1,         0x9000f, 5,       1,       0x62756f64, 0x615f656c, 0x615f646e, 0x6464,  2,
    3,         0x60010, 1,       0x11,    0x20,       1,          1,          0x40047, 2,
    0xb,       0x1c,    0x40047, 3,       0xb,        0x1a,       0x40047,    4,       6,
    4,         0x30047, 5,       2,       0x50048,    5,          0,          0x23,    0,
    0x40047,   6,       0x22,    0,       0x40047,    6,          0x21,       0,       0x40047,
    7,         0x22,    0,       0x40047, 7,          0x21,       1,          0x40047, 8,
    0x22,      0,       0x40047, 8,       0x21,       2,          0x20013,    9,       0x20014,
    0xa,       0x40015, 0xb,     0x20,    0,          0x40017,    0xc,        0xb,     3,
    0x3001d,   4,       0xb,     0x3001e, 5,          4,          0x40020,    0xd,     1,
    0xc,       0x40020, 0xe,     0xc,     5,          0x40020,    0xf,        0xc,     0xb,
    0x30021,   0x10,    9,       0x4002b, 0xb,        0x11,       0,          0x4002b, 0xb,
    0x12,      1,       0x4002b, 0xb,     0x13,       2,          0x4002b,    0xb,     0x14,
    3,         0x4002b, 0xb,     0x15,    4,          0x4002b,    0xb,        0x16,    0xffffffff,
    0x4003b,   0xd,     2,       1,       0x4003b,    0xd,        3,          1,       0x4003b,
    0xe,       6,       0xc,     0x4003b, 0xe,        7,          0xc,        0x4003b, 0xe,
    8,         0xc,     0x50036, 9,       1,          0,          0x10,       0x200f8, 0x17,
    0x4003d,   0xc,     0x18,    2,       0x50051,    0xb,        0x19,       0x18,    0,
    0x4003d,   0xc,     0x1a,    3,       0x50051,    0xb,        0x1b,       0x1a,    1,
    0x60041,   0xf,     0x1c,    6,       0x11,       0x11,       0x4003d,    0xb,     0x1d,
    0x1c,      0x500b0, 0xa,     0x1e,    0x19,       0x1d,       0x300f7,    0x1f,    0,
    0x400fa,   0x1e,    0x20,    0x1f,    0x200f8,    0x20,       0x50084,    0xb,     0x21,
    0x1b,      0x1d,    0x50080, 0xb,     0x22,       0x21,       0x19,       0x60041, 0xf,
    0x23,      6,       0x11,    0x12,    0x4003d,    0xb,        0x24,       0x23,    0x500ab,
    0xa,       0x25,    0x24,    0x16,    0x300f7,    0x26,       0,          0x400fa, 0x25,
    0x27,      0x26,    0x200f8, 0x27,    0x500c2,    0xb,        0x28,       0x24,    0x13,
    0x50080,   0xb,     0x29,    0x28,    0x22,       0x60041,    0xf,        0x2a,    7,
    0x11,      0x29,    0x4003d, 0xb,     0x2b,       0x2a,       0x200f9,    0x26,    0x200f8,
    0x26,      0x700f5, 0xb,     0x2c,    0x11,       0x20,       0x2b,       0x27,    0x50084,
    0xb,       0x2d,    0x2c,    0x13,    0x60041,    0xf,        0x2e,       6,       0x11,
    0x15,      0x4003d, 0xb,     0x2f,    0x2e,       0x50080,    0xb,        0x30,    0x2d,
    0x2f,      0x60041, 0xf,     0x31,    6,          0x11,       0x14,       0x4003d, 0xb,
    0x32,      0x31,    0x500c2, 0xb,     0x33,       0x32,       0x13,       0x50080, 0xb,
    0x34,      0x33,    0x22,    0x60041, 0xf,        0x35,       8,          0x11,    0x34,
    0x3003e,   0x35,    0x30,    0x200f9, 0x1f,       0x200f8,    0x1f,       0x100fd, 0x10038};

inline vulkan::KernelCode doubleAndAdd() {
  return {"double_and_add",
          {std::begin(doubleAndAddWords), std::end(doubleAndAddWords)},
          32,
          0,
          {0, 1, -1, 2, 0}};
}

} // namespace ssmc::test
