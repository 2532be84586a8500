// Devices and contexts of the C interface.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/data.h>
#include <host/c/handles.h>
#include <host/device/cuda_library.h>

using namespace glia;
using namespace glia::c;

glia_status glia_device_count(int32_t* count) {
  return guarded(__func__, [&] {
    int32_t& result = expect_given(count, "count");
    result = 1 + cuda_library::availability().devices;
  });
}

glia_status glia_device_name(int32_t number, char* text, size_t capacity, size_t* needed) {
  return guarded(__func__, [&] {
    const int devices = number == 0 ? 1 : 1 + cuda_library::availability().devices;
    GLIA_CHECK(number >= 0 && number < devices, ValueError, "there is no device ", number, ": there are ",
               devices, ", numbered from 0; glia_device_report says why no more");
    put(number == 0 ? "cpu" : Device::cuda(number - 1).name(), text, capacity, needed);
  });
}

glia_status glia_device_report(char* text, size_t capacity, size_t* needed) {
  return guarded(__func__, [&] { put(device_report(), text, capacity, needed); });
}

glia_status glia_context_create(const glia_context_options* options, glia_context** context) {
  return guarded(__func__, [&] {
    glia_context*& result = expect_given(context, "context");
    const glia_context_options given = known(options);
    ContextOptions wanted;
    wanted.device = Device(text_or(given.device, "auto"));
    wanted.threads = given.threads;
    wanted.stream = stream_of(given.stream);
    wanted.deterministic = !given.nondeterministic;
    wanted.propagate_nan = !given.may_hide_nan;
    result = make<glia_context>(Context(wanted));
  });
}

glia_status glia_context_destroy(glia_context* context) {
  return guarded(__func__, [&] { destroy(context, "context"); });
}

glia_status glia_context_device(const glia_context* context, char* text, size_t capacity, size_t* needed) {
  return guarded(__func__, [&] { put(in(context).device().name(), text, capacity, needed); });
}

glia_status glia_context_versions(const glia_context* context, char* text, size_t capacity, size_t* needed) {
  return guarded(__func__, [&] {
    std::string lines;
    for (const auto& [what, version] : in(context).versions()) lines += what + ' ' + version + '\n';
    put(lines, text, capacity, needed);
  });
}

glia_status glia_context_wait(const glia_context* context, void* event) {
  return guarded(__func__, [&] { in(context).wait(event); });
}
glia_status glia_context_record(const glia_context* context, void* event) {
  return guarded(__func__, [&] { in(context).record(event); });
}
glia_status glia_context_trim(const glia_context* context) {
  return guarded(__func__, [&] { in(context).trim(); });
}
