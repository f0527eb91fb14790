/* The C interface of a compiled CPU kernel.
 *
 * A kernel NAME is two functions:
 *
 *   int32_t NAME(const ssmc_kernel_args* args, int64_t first_item, int64_t last_item,
 *                void* workspace);
 *   int64_t NAME_workspace(const ssmc_kernel_args* args, int64_t items);
 *
 * The first does the work of items first_item ... last_item - 1, one after the other in any order;
 * item n * heads + h is sequence n, head h. Items are independent: any thread may do any range.
 * It returns 0. The second says how many bytes of workspace a call over `items` items needs; the
 * workspace is 64-byte aligned, private to the call, and its contents need not be initialised.
 *
 * The sequences of a call are all of one length, each a batch entry of its own, or they are packed:
 * of any lengths, none included, one after the other along the time axis of one batch entry.
 *
 *                              batch entries          packed
 *   offsets                    null                   batch + 1 numbers from 0, none less than the
 *                                                     last
 *   batch                      batch entries          sequences
 *   steps of sequence n        time[0]                offsets[n + 1] - offsets[n]
 *   first step of an input,    n * stride of          offsets[n] * stride of
 *   output or temporary        batch entries          steps (that of batch entries is not read)
 *   first array of a           n * stride of          (offsets[n] / C + n) * stride of
 *   temporary for C steps      batch entries          steps
 *   states                     n * stride of batch entries, either way
 *
 * This header is plain C and has no dependency.
 */
#ifndef SSMC_TARGET_KERNELABI_H
#define SSMC_TARGET_KERNELABI_H

#include <stdint.h>

typedef struct ssmc_kernel_args {
  int64_t batch;   /* B: sequences */
  int64_t heads;   /* H */
  int64_t groups;  /* G, which divides H; head h belongs to group h * G / H */
  int64_t time[2]; /* sizes of the time axes; the second is 1 where there is one axis. If packed,
                    * the first is the last of the offsets */
  /* One pointer an operand, in the order of the kernel's operand list (`operands` of tile.kernel,
   * as
   * --emit tile prints it) without those of role `row`: of a forward pass inputs and params as they
   * are declared, then state_in and state_out of each state, then outputs.
   * A state_in or state_out pointer may be null. */
  void* const* operands;
  /* Four strides an operand, in elements of its stored type (a complex number is one element):
   * between batch entries, steps of time axis 0, steps of time axis 1, and heads (or groups).
   * The axes of one array are contiguous in their declared order. */
  const int64_t* strides;
  /* Where each sequence begins among the steps, and where the last one ends, or null: see above.
   * Null where there are two time axes. */
  const int64_t* offsets;
} ssmc_kernel_args;

#endif /* SSMC_TARGET_KERNELABI_H */
