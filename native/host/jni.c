// The native methods of redoubt.host.Natives. JNI and not java.lang.foreign: a downcall handle is spun at
// its first use, which no AOT cache keeps, for 24 ms at the start of each JVM. No jni.h: environment and
// class are not used, and a jlong is a long.

long redoubt_raw_syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
long redoubt_spawn(long path, long argv, long envp, long fds, long count, long stack, long stack_size);
long redoubt_find_syscalls(long text, long bytes, long out, long max, long a4, long a5, long a6);
long redoubt_find_branches(long text, long bytes, long danger, long out, long max, long a5, long a6);

long Java_redoubt_host_Natives_syscall(void *env, void *type, long nr, long a0, long a1, long a2, long a3,
                                       long a4, long a5) {
  (void)env, (void)type;
  return redoubt_raw_syscall(nr, a0, a1, a2, a3, a4, a5);
}

long Java_redoubt_host_Natives_spawn(void *env, void *type, long path, long argv, long envp, long fds,
                                     long count, long stack, long stack_size) {
  (void)env, (void)type;
  return redoubt_spawn(path, argv, envp, fds, count, stack, stack_size);
}

long Java_redoubt_host_Natives_findSyscalls(void *env, void *type, long text, long bytes, long out, long max) {
  (void)env, (void)type;
  return redoubt_find_syscalls(text, bytes, out, max, 0, 0, 0);
}

long Java_redoubt_host_Natives_findBranches(void *env, void *type, long text, long bytes, long danger, long out,
                                            long max) {
  (void)env, (void)type;
  return redoubt_find_branches(text, bytes, danger, out, max, 0, 0);
}
