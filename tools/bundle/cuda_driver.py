"""What run_bundle.py needs of the CUDA driver, by ctypes: memory, events and graphs of the first GPU."""

import ctypes

# CUstreamCaptureMode: nothing that is unsafe during a capture is let through, in any thread.
CAPTURE_GLOBAL = 0
ATTRIBUTE_CACHE = 38


class WrongInput(Exception):
    """The input is wrong, or this machine cannot run it: exit code 2."""


class Driver:
    def __init__(self):
        try:
            self.library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise WrongInput("there is no CUDA driver on this machine (libcuda.so.1)") from error
        if self.library.cuInit(0):
            raise WrongInput("there is no GPU that the CUDA driver knows")
        device, context, self.stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self.check("cuDeviceGet", ctypes.byref(device), 0)
        self.device = device.value
        self.check("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.check("cuCtxSetCurrent", context)
        self.check("cuStreamCreate", ctypes.byref(self.stream), 1)

    def check(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(code, ctypes.byref(text))
            raise WrongInput(f"{name}: {(text.value or b'error').decode()} ({code})")

    def name(self):
        text = ctypes.create_string_buffer(256)
        self.check("cuDeviceGetName", text, len(text), self.device)
        return text.value.decode()

    def cache_bytes(self):
        count = ctypes.c_int()
        self.check("cuDeviceGetAttribute", ctypes.byref(count), ATTRIBUTE_CACHE, self.device)
        return count.value

    def allocate(self, count):
        memory = ctypes.c_uint64()
        self.check("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(max(count, 16)))
        return memory.value

    def release(self, memory):
        self.check("cuMemFree_v2", ctypes.c_uint64(memory))

    def upload(self, memory, array):
        if array.nbytes:
            self.check("cuMemcpyHtoD_v2", ctypes.c_uint64(memory), array.ctypes.data_as(ctypes.c_void_p),
                       ctypes.c_size_t(array.nbytes))

    def download(self, array, memory):
        if array.nbytes:
            self.check("cuMemcpyDtoH_v2", array.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(memory),
                       ctypes.c_size_t(array.nbytes))

    def fill(self, memory, count, byte):
        if count:
            self.check("cuMemsetD8_v2", ctypes.c_uint64(memory), ctypes.c_ubyte(byte), ctypes.c_size_t(count))
            # Filling is asynchronous, and streams of graphs do not wait for the default one.
            self.wait()

    def wait(self):
        self.check("cuCtxSynchronize")

    def time(self, body, stream=None):
        """Milliseconds on the GPU of what `body` launches in a stream."""
        events = [ctypes.c_void_p(), ctypes.c_void_p()]
        for event in events:
            self.check("cuEventCreate", ctypes.byref(event), 0)
        self.check("cuEventRecord", events[0], stream)
        body()
        self.check("cuEventRecord", events[1], stream)
        self.check("cuEventSynchronize", events[1])
        elapsed = ctypes.c_float()
        self.check("cuEventElapsedTime", ctypes.byref(elapsed), *events)
        for event in events:
            self.check("cuEventDestroy_v2", event)
        return elapsed.value

    def capture(self, body):
        """A graph of what `body`, given a stream, launches."""
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self.check("cuStreamBeginCapture_v2", self.stream, CAPTURE_GLOBAL)
        body(self.stream.value)
        self.check("cuStreamEndCapture", self.stream, ctypes.byref(graph))
        self.check("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_uint64(0))
        self.check("cuGraphDestroy", graph)
        return executable

    def launch_graph(self, graph):
        self.check("cuGraphLaunch", graph, self.stream)

    def release_graph(self, graph):
        self.check("cuGraphExecDestroy", graph)
