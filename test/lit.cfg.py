"""How lit runs the tests: RUN lines in .mlir, .ssm and .test files."""

import os

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "ssmc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".ssm", ".test"]
# Other files of the tests: inputs of RUN lines, and the suites that ctest runs by themselves.
config.excludes = ["Inputs", "Corpus", "EndToEnd", "unit"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build_root, "test")

llvm_config.with_environment("PATH", [config.ssmc_tools_dir, config.llvm_tools_dir], append_path=True)
llvm_config.with_environment("FILECHECK_OPTS", "--enable-var-scope --dump-input-filter=all")
config.environment["OMP_NUM_THREADS"] = "2"

# The whole suite with every pass's IR printed, parsed and compared: lit -Dverify_roundtrip=1.
roundtrip = ["--verify-roundtrip"] if lit_config.params.get("verify_roundtrip") else []
llvm_config.add_tool_substitutions(
    [
        ToolSubst("ssmc-opt", extra_args=roundtrip, unresolved="fatal"),
        ToolSubst("ssmc", unresolved="fatal"),
        *("FileCheck", "not", "split-file", "mlir-opt"),
    ],
    [config.ssmc_tools_dir, config.llvm_tools_dir],
)
config.substitutions.append(("%zoo", os.path.join(config.source_root, "zoo")))
config.substitutions.append(("%python", f'"{config.python}"'))
config.substitutions.append(("%inputs", os.path.join(config.test_source_root, "Inputs")))
config.substitutions.append(("%root", config.source_root))
config.substitutions.append(("%build", config.build_root))
