// What a container's child does between clone and exec. All of it in the child: a path of a container may
// be a file of the gofer, and those are answered by the agent's loop.
#pragma once
#include "wire.h"

enum { ATTACH_LIMIT = 64, ID_LIMIT = 128, SYNC_TEXT = 400 };

enum { SHARED_IPC, SHARED_UTS, SHARED };

// A message of the child to the agent on the sync socket.
//   'R' ready: waits for a byte; 'T' the terminal's master comes with it; 'P' number is the pid of the process
//   that stays; 'E' number is an errno, text says what failed
struct sync_message {
  int kind, number;
  char text[SYNC_TEXT];
};

// A file system of the gofer, mounted by the agent at /run/fs/INDEX.
struct attach {
  char name[64];
  uint32_t index;
  int is_directory;
};

struct child_orders {
  struct wire config;   // ContainerConfig, or ProcessConfig for a further process
  int sync;             // the child's end
  int stdio[3];         // without a terminal
  int terminal;
  struct attach *attaches;
  int attach_count;
  int shared[SHARED];   // namespaces of another container to join, or -1
};

__attribute__((noreturn)) void container_init(struct child_orders *o);                 // in new namespaces
__attribute__((noreturn)) void container_exec(struct child_orders *o, int init_pid);   // in the agent's

long send_sync(int socket, struct sync_message *m, int fd);
long receive_sync(int socket, struct sync_message *m, int *fd);
