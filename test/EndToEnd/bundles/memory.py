"""run_bundle.py's driver, which knows what it has allocated."""

import cuda_driver


class Driver(cuda_driver.Driver):
    def __init__(self):
        super().__init__()
        self.blocks = {}

    def allocate(self, count):
        memory = super().allocate(count)
        self.blocks[memory] = max(count, 16)
        return memory

    def release(self, memory):
        super().release(memory)
        del self.blocks[memory]

    def holds(self, address, count):
        return any(start <= address and address + count <= start + size for start, size in self.blocks.items())
