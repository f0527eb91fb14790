//===- Diagnostics.cpp - Errors about a source file -----------------------===//

#include "ssmc/Frontend/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace ssmc {

/// Beyond this many errors a file is not a program with mistakes but something else.
static constexpr size_t maxErrorsShown = 100;

/// A longer source line is shown in part, around the caret.
static constexpr size_t maxLineShown = 160;

Diagnostic& Diagnostic::note(SMLoc where, const Twine& text) {
  notes.push_back({where, text.str()});
  return *this;
}

Diagnostic& Diagnostics::error(SMLoc loc, const Twine& message) {
  errors.push_back({loc, message.str(), {}});
  return errors.back();
}

void Diagnostics::print(raw_ostream& os, bool color) const {
  // The order of reporting breaks ties.
  SmallVector<std::pair<const char*, size_t>> places;
  for (size_t i = 0; i < errors.size(); ++i)
    places.push_back({errors[i].loc.getPointer(), i});
  sort(places);
  SmallVector<const Diagnostic*> sorted;
  for (auto [place, number] : places)
    sorted.push_back(&errors[number]);
  // Different checks may find the same mistake, and a macro's mistake shows at each of its uses.
  sorted.erase(std::unique(sorted.begin(), sorted.end(),
                           [](const Diagnostic* a, const Diagnostic* b) {
                             return a->loc == b->loc && a->message == b->message;
                           }),
               sorted.end());

  for (const Diagnostic* error : ArrayRef(sorted).take_front(maxErrorsShown)) {
    printOne(os, error->loc, "error", error->message, color);
    for (const Diagnostic::Note& note : error->notes)
      printOne(os, note.loc, "note", note.message, color);
  }
  if (sorted.size() > maxErrorsShown)
    os << "and " << sorted.size() - maxErrorsShown << " more errors\n";
}

/// Bytes of the character that `text` begins with, or 0 where it is not UTF-8.
static unsigned characterLength(StringRef text) {
  auto* begin = reinterpret_cast<const UTF8*>(text.begin());
  auto* end = reinterpret_cast<const UTF8*>(text.end());
  unsigned length = getNumBytesForUTF8(*begin);
  return isLegalUTF8Sequence(begin, end) ? length : 0;
}

/// Prints `text` with what a terminal cannot show replaced; returns the columns it takes.
static void printVisibly(raw_ostream& os, StringRef text, std::string& blank) {
  while (!text.empty()) {
    unsigned length = characterLength(text);
    unsigned char first = text.front();
    if (first == '\t') {
      os << '\t';
      blank += '\t';
    } else if (length == 0 || first < 0x20 || first == 0x7f) {
      os << '?';
      blank += ' ';
    } else {
      os << text.take_front(length);
      blank += ' ';
    }
    text = text.drop_front(std::max(length, 1u));
  }
}

void Diagnostics::printOne(raw_ostream& os, SMLoc loc, StringRef severity, StringRef message,
                           bool color) const {
  unsigned id = loc.isValid() ? sources.FindBufferContainingLoc(loc) : 0;
  bool isError = severity == "error";
  auto colored = [&](raw_ostream::Colors which, bool bold, StringRef text) {
    WithColor(os, which, bold, /*BG=*/false, color ? ColorMode::Enable : ColorMode::Disable)
        << text;
  };
  if (!id) {
    colored(isError ? raw_ostream::RED : raw_ostream::CYAN, true, (severity + ": ").str());
    os << message << '\n';
    return;
  }

  const MemoryBuffer* buffer = sources.getMemoryBuffer(id);
  auto [line, column] = sources.getLineAndColumn(loc, id);
  std::string place =
      (buffer->getBufferIdentifier() + ":" + Twine(line) + ":" + Twine(column) + ": ").str();
  colored(raw_ostream::SAVEDCOLOR, color, place);
  colored(isError ? raw_ostream::RED : raw_ostream::CYAN, true, (severity + ": ").str());
  os << message << '\n';

  StringRef text = buffer->getBuffer();
  size_t at = loc.getPointer() - text.begin();
  size_t begin = at;
  while (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != '\r' &&
         at - begin < maxLineShown / 2)
    --begin;
  size_t end = std::min(text.find_first_of("\r\n", at), text.size());
  end = std::min(end, begin + maxLineShown);
  // A window must not begin or end inside a character.
  while (begin < at && (text[begin] & 0xc0) == 0x80)
    ++begin;
  while (end > at && end < text.size() && (text[end] & 0xc0) == 0x80)
    --end;

  std::string blank, unused;
  printVisibly(os, text.slice(begin, at), blank);
  printVisibly(os, text.slice(at, end), unused);
  os << '\n' << blank;
  colored(raw_ostream::GREEN, true, "^");
  os << '\n';
}

/// Among more names than a person would write, a suggestion is not worth the search.
static constexpr size_t maxCandidates = 2000;

/// Whether two neighbouring letters changed places, the commonest slip of all.
static bool isSwap(StringRef a, StringRef b) {
  if (a.size() != b.size())
    return false;
  size_t at = 0;
  while (at < a.size() && a[at] == b[at])
    ++at;
  return at + 1 < a.size() && a[at] == b[at + 1] && a[at + 1] == b[at] &&
         a.substr(at + 2) == b.substr(at + 2);
}

StringRef nearestName(StringRef name, ArrayRef<StringRef> candidates) {
  // One edit in three characters; in a name of one or two characters any edit makes another name,
  // except a change of case.
  unsigned bestDistance = name.size() < 3 ? 0 : std::min<unsigned>(3, (name.size() + 1) / 3);
  StringRef best;
  if (candidates.size() > maxCandidates)
    return best;
  for (StringRef candidate : candidates) {
    if (candidate.equals_insensitive(name) && candidate != name)
      return candidate;
    if (name.size() > 2 && isSwap(name, candidate))
      return candidate;
    if (bestDistance == 0 || name.size() > 64)
      continue;
    unsigned distance = name.edit_distance(candidate, true, bestDistance);
    if (distance > 0 && distance <= bestDistance && (best.empty() || distance < bestDistance)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

std::string didYouMean(StringRef name, ArrayRef<StringRef> candidates) {
  StringRef best = nearestName(name, candidates);
  return best.empty() ? std::string() : ("; did you mean '" + best + "'?").str();
}

} // namespace ssmc
