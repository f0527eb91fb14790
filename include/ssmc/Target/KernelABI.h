/* The C interface of a compiled CPU kernel.
 *
 * A kernel NAME is two functions:
 *
 *   int32_t NAME(const ssmc_kernel_args* args, int64_t first_item, int64_t last_item, void* workspace);
 *   int64_t NAME_workspace(const ssmc_kernel_args* args, int64_t items);
 *
 * The first does the work of items first_item ... last_item - 1, one after the other in any order;
 * item b * heads + h is batch entry b, head h. Items are independent: any thread may do any range.
 * It returns 0. The second says how many bytes of workspace a call over `items` items needs; the
 * workspace is 64-byte aligned, private to the call, and its contents need not be initialised.
 *
 * This header is plain C and has no dependency.
 */
#ifndef SSMC_TARGET_KERNELABI_H
#define SSMC_TARGET_KERNELABI_H

#include <stdint.h>

typedef struct ssmc_kernel_args {
  int64_t batch;   /* B */
  int64_t heads;   /* H */
  int64_t groups;  /* G, which divides H; head h belongs to group h * G / H */
  int64_t time[2]; /* sizes of the time axes; the second is 1 where there is one axis */
  /* One pointer an operand, in the order of the kernel's operand list without those of role `row`.
   * A state_in or state_out pointer may be null. */
  void* const* operands;
  /* Four strides an operand, in elements of its stored type (a complex number is one element):
   * between batch entries, steps of time axis 0, steps of time axis 1, and heads (or groups).
   * The axes of one array are contiguous in their declared order. */
  const int64_t* strides;
} ssmc_kernel_args;

#endif /* SSMC_TARGET_KERNELABI_H */
