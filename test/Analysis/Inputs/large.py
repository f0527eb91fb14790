"""Prints declarations that name a part of themselves again and again."""
import sys

BODIES = {
    "shared": ("let a0 = prev(h) + x", "let a{n} = exp(x) * a{m} + cos(x) * a{m} + x", 40),
    "squares": ("let a0 = x", "let a{n} = a{m} * a{m} + x", 60),
    "chain": ("let a0 = prev(h) + x", "let a{n} = a{m} + x * x", 5000),
}

kind = sys.argv[1]
if kind == "dense":
    print("recurrence r {\n dim D\n in x[D,D]\n state h[D]\n let a0[i] = prev(h[i])")
    for n in range(1, 31):
        print(f" let a{n}[i] = sum[j](x[i,j] * a{n - 1}[j])")
    print(" h[i] = a30[i]\n out o[i] = h[i]\n}")
else:
    first, step, count = BODIES[kind]
    print("recurrence r {\n in x\n state h\n " + first)
    for n in range(1, count + 1):
        print(" " + step.format(n=n, m=n - 1))
    print(f" h = {'prev(h) * ' if kind == 'squares' else ''}a{count}\n out o = h\n}}")
