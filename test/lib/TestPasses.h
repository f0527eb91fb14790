// Passes that only tests run.
#pragma once

namespace ssmc::test {
void registerTestPartials();
} // namespace ssmc::test
