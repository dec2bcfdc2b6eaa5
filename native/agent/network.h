// The guest's network: devices wait where no container sees them until the host says what they are to be.
#pragma once
#include "wire.h"

// Leaves the network namespace that the guest booted in, with all of its devices, for one with a loopback.
void network_hide(void);

// Takes devices into this namespace and gives them what `config` says: NetworkConfig
// (redoubt.sentry.control.NetworkConfig). The n-th interface is the device that the VMM gave the address
// 02:52:44:42:00:n. Returns 0 or -errno and then what failed in `what`.
long network_configure(struct wire config, char *what, size_t size);
