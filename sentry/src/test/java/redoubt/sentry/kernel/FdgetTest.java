package redoubt.sentry.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.vfs.FileDescription;

/** What fdget lends without a reference, and when it must not. */
class FdgetTest {
  private final FakeGuest g = FakeGuest.create();
  private final Task task = g.task();
  private final int fd = (int) g.ok(Nr.OPEN, g.text("/file"), Fcntl.O_CREAT | Fcntl.O_RDWR, 0644);

  @Test
  void shouldCountNothingWhileTheTableIsTheTasksAlone() {
    FileDescription f = given(task.fdget(fd));
    assertEquals(1, f.refCount());
    assertTrue(task.isSoleUser(f));
    task.fdput(f);
    assertEquals(1, f.refCount());
    assertFalse(task.isSoleUser(f));
  }

  @Test
  void shouldCountWhileAnotherTaskMayCloseIt() {
    FdTable shared = task.fds().share();
    FileDescription f = given(task.fdget(fd));
    assertEquals(2, f.refCount());
    assertFalse(task.isSoleUser(f));
    shared.leave(task);
    task.fdput(f); // as it began, whatever happened meanwhile
    assertEquals(1, f.refCount());
  }

  @Test
  void shouldNotBeSoleUserOfADuplicate() {
    g.ok(Nr.DUP, fd);
    FileDescription f = given(task.fdget(fd));
    assertFalse(task.isSoleUser(f));
    task.fdput(f);
  }

  @Test
  void shouldReturnNullForAClosedDescriptor() {
    g.ok(Nr.CLOSE, fd);
    assertNull(task.fdget(fd));
  }

  @Test
  void shouldCopyNoMoreThanTheHighestDescriptorNeeds() {
    g.ok(Nr.DUP2, fd, 1000);
    FdTable wide = task.fds().copy();
    assertTrue(wide.capacity() > 1000, "1000 is open");
    assertNotNull(wide.peek(1000));
    g.ok(Nr.CLOSE, 1000);
    assertTrue(task.fds().capacity() > 1000, "the table itself keeps its room");
    FdTable narrow = task.fds().copy();
    assertEquals(64, narrow.capacity());
    assertEquals(task.fds().peek(fd), narrow.peek(fd));
  }

  private static FileDescription given(FileDescription f) {
    assertNotNull(f);
    return f;
  }
}
