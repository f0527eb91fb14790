/* A CUDA driver without a GPU: memory is the host's, launches go to the test, and every call is noted.
 *
 *   fake_set      what a function returns, or what the GPU is: see `settings`
 *   fake_calls    the names of the functions that were called since fake_reset, with a space after each
 *   fake_on_*     functions of the test that launches, and graphs that are launched, go to
 *
 * In a process that is not the test's, launches are written to the file that FAKE_CUDA_LOG names: the kernel, its
 * grid, threads, shared memory, and the first five parameters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  const char *name;
  int value;
} settings[] = {{"init", 0},       {"context", 1}, {"major", 9}, {"minor", 0},    {"shared", 232448},
                {"load_cubin", 0}, {"load_ptx", 0}, {"find", 0},  {"attribute", 0}, {"launch", 0}};

static char calls[1 << 16];
static size_t length;
static int loaded_ptx = -1;

static int get(const char *name) {
  for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); ++i)
    if (!strcmp(settings[i].name, name))
      return settings[i].value;
  abort();
}

void fake_set(const char *name, int value) {
  for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); ++i)
    if (!strcmp(settings[i].name, name)) {
      settings[i].value = value;
      return;
    }
  abort();
}

void fake_reset(void) {
  length = 0;
  calls[0] = 0;
}

const char *fake_calls(void) { return calls; }

/* Whether the module that was loaded last came as PTX. */
int fake_loaded_ptx(void) { return loaded_ptx; }

static void note(const char *name) {
  if (length + strlen(name) + 2 < sizeof(calls))
    length += (size_t)sprintf(calls + length, "%s ", name);
}
#define NOTE note(__func__)

int cuInit(unsigned flags) {
  (void)flags;
  NOTE;
  return get("init");
}

int cuGetErrorString(int code, const char **text) {
  (void)code;
  *text = "an error of the fake driver";
  return 0;
}

/*---- Devices and contexts ----*/

int cuDeviceGet(int *device, int number) {
  NOTE;
  *device = number;
  return 0;
}

int cuDeviceGetName(char *name, int size, int device) {
  (void)device;
  NOTE;
  snprintf(name, (size_t)size, "fake GPU");
  return 0;
}

#ifndef FAKE_LACKS
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  NOTE;
  *value = attribute == 75   ? get("major")
           : attribute == 76 ? get("minor")
           : attribute == 97 ? get("shared")
                             : 1 << 20;
  return 0;
}
#endif

static int context;

int cuDevicePrimaryCtxRetain(void **made, int device) {
  (void)device;
  NOTE;
  *made = &context;
  return 0;
}

int cuCtxSetCurrent(void *made) {
  (void)made;
  NOTE;
  return 0;
}

int cuCtxGetCurrent(void **current) {
  NOTE;
  *current = get("context") ? &context : NULL;
  return 0;
}

int cuCtxGetDevice(int *device) {
  NOTE;
  *device = 0;
  return 0;
}

int cuCtxSynchronize(void) {
  NOTE;
  return 0;
}

/*---- Modules ----*/

static char names[64][128];
static int count;

int cuModuleLoadDataEx(void **module, const void *code, unsigned options, int *keys, void **values) {
  (void)options, (void)keys, (void)values;
  NOTE;
  loaded_ptx = memcmp(code, "\177ELF", 4) != 0;
  *module = &loaded_ptx;
  return get(loaded_ptx ? "load_ptx" : "load_cubin");
}

int cuModuleUnload(void *module) {
  (void)module;
  NOTE;
  return 0;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  (void)module;
  NOTE;
  char *place = names[count++ % 64];
  snprintf(place, sizeof(names[0]), "%s", name);
  *function = place;
  return get("find");
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  (void)function;
  NOTE;
  return attribute != 8 || value > get("shared") ? 1 : get("attribute");
}

/*---- Launches ----*/

typedef void (*on_launch)(const char *name, const int64_t *numbers, void **parameters);
typedef void (*on_graph)(void);
static on_launch launched;
static on_graph graph_launched;
static int capturing;

void fake_on_launch(on_launch function) { launched = function; }
void fake_on_graph(on_graph function) { graph_launched = function; }

int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **parameters, void **extra) {
  NOTE;
  int64_t numbers[] = {x, y, z, bx, by, bz, shared, (int64_t)(intptr_t)stream, capturing, extra != NULL};
  if (get("launch"))
    return get("launch");
  if (launched)
    launched(function, numbers, parameters);
  FILE *log = getenv("FAKE_CUDA_LOG") ? fopen(getenv("FAKE_CUDA_LOG"), "a") : NULL;
  if (log) {
    fprintf(log, "%s %u %u %u %u", (const char *)function, x, y, bx, shared);
    for (int i = 0; i < 5; ++i)
      fprintf(log, " %lld", *(long long *)parameters[i]);
    fprintf(log, "\n");
    fclose(log);
  }
  return 0;
}

int cuStreamCreate(void **stream, unsigned flags) {
  (void)flags;
  NOTE;
  *stream = &capturing;
  return 0;
}

int cuStreamBeginCapture_v2(void *stream, int mode) {
  (void)stream, (void)mode;
  NOTE;
  capturing = 1;
  return 0;
}

int cuStreamEndCapture(void *stream, void **graph) {
  (void)stream;
  NOTE;
  capturing = 0;
  *graph = &capturing;
  return 0;
}

int cuGraphInstantiateWithFlags(void **made, void *graph, unsigned long long flags) {
  (void)flags;
  NOTE;
  *made = graph;
  return 0;
}

int cuGraphLaunch(void *graph, void *stream) {
  (void)graph, (void)stream;
  NOTE;
  if (graph_launched)
    graph_launched();
  return 0;
}

int cuGraphDestroy(void *graph) {
  (void)graph;
  NOTE;
  return 0;
}

int cuGraphExecDestroy(void *graph) {
  (void)graph;
  NOTE;
  return 0;
}

/*---- Memory ----*/

int cuMemAlloc_v2(unsigned long long *memory, size_t bytes) {
  NOTE;
  *memory = (uintptr_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
  return 0;
}

int cuMemFree_v2(unsigned long long memory) {
  NOTE;
  free((void *)(uintptr_t)memory);
  return 0;
}

int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t bytes) {
  NOTE;
  memcpy((void *)(uintptr_t)to, from, bytes);
  return 0;
}

int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *stream) {
  NOTE;
  (void)stream;
  memcpy((void *)(uintptr_t)to, (void *)(uintptr_t)from, bytes);
  return 0;
}

int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t bytes) {
  NOTE;
  memcpy(to, (void *)(uintptr_t)from, bytes);
  return 0;
}

int cuMemsetD8_v2(unsigned long long to, unsigned char byte, size_t bytes) {
  NOTE;
  memset((void *)(uintptr_t)to, byte, bytes);
  return 0;
}

/*---- Events ----*/

int cuEventCreate(void **event, unsigned flags) {
  (void)flags;
  NOTE;
  *event = &capturing;
  return 0;
}

int cuEventRecord(void *event, void *stream) {
  (void)event, (void)stream;
  NOTE;
  return 0;
}

int cuEventSynchronize(void *event) {
  (void)event;
  NOTE;
  return 0;
}

int cuEventElapsedTime(float *milliseconds, void *start, void *end) {
  (void)start, (void)end;
  NOTE;
  *milliseconds = 1;
  return 0;
}

int cuEventDestroy_v2(void *event) {
  (void)event;
  NOTE;
  return 0;
}
