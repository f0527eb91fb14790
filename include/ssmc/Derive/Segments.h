/// What a span of steps does to the states, as a value: the summary of the span, and what composes
/// two of them.
///
/// Over any span the map of a state is affine, S -> P S + Q, in the semiring max_plus
/// S -> max(P + S, Q). So a long sequence is cut into segments; their summaries (P, Q) are found
/// side by side, and applied one after the other they give the state before each segment, from
/// which all segments run side by side (DESIGN 4.6).
///
/// Q is the state that the form leaves after the span from a state of zeros. P is what the linear
/// part of the form (LinearPart.h) makes of the identity: the ordinary state of a recurrence with
/// one more label for each label that is mixed. For the delta rule, with M = 1 - b k kT and
/// S[K, V] <- M S + b k vT:
///
///   S<S [K, K0]   starts as 1 where K = K0, else 0, and takes steps of M, all K0 side by side
///
///   S [K, V]      starts as 0 and takes the steps of the declaration
///
/// A label along which nothing is mixed stays alone (a decay per K is P[K]) and one along which
/// nothing varies goes (the same decay for all V needs no V).
///
/// Where the coefficients of a state depend on other states (those of mLSTM's C and n on its
/// maximum m) these come on a level before it: its summary is that of the span as it goes from the
/// known state of the levels below.
#pragma once

#include "dialects/SSM/SSM.h"

#include <string>
#include <vector>

namespace ssmc::derive {

/// The map of a level of states over a span.
struct SpanLevel {
  /// The part of P that goes from one state to another, a state of `summary` of that name.
  struct Transition {
    std::string name; ///< `S<S`, `C<M`
    std::string to, from;
  };
  std::vector<std::string> states;
  std::vector<Transition> transitions;
  ssm::Semiring semiring = ssm::Semiring::PlusTimes;
  /// Labels that are mixed, and their names as columns of P.
  std::vector<std::string> mixed, columns;
  /// The steps of a span, to P and Q. Its other states are those of the levels below; they start as
  /// they are before the span.
  ssm::RecurrenceOp summary;
  /// A recurrence whose steps are summaries, `s:S` and `s:S<S`: to the summary of all of them, one
  /// after the other.
  ssm::RecurrenceOp compose;
  /// A recurrence of the same steps on the states themselves: `S+` is the state S after each of
  /// them.
  ssm::RecurrenceOp apply;
};

/// The map of the states of one chunk of a form, level by level.
struct SpanMap {
  std::vector<SpanLevel> levels;
  /// States that only add up what each step contributes, and that nobody reads: of gradients of
  /// params. Each segment starts them from zero, and what the segments come to is added up.
  std::vector<std::string> sums;
};

/// Derives the summary, composition and application of each chunk of a form, after the form. Chunk
/// number k of form NAME has `NAME_k_summary`, `NAME_k_compose` and `NAME_k_apply`, without `_k`
/// for the first one, and with `_l` behind for level l after the first. On failure nothing is
/// derived and `reason` is a sentence that says why not.
mlir::FailureOr<std::vector<SpanMap>> deriveSegments(ssm::RecurrenceOp form, std::string& reason);

} // namespace ssmc::derive
