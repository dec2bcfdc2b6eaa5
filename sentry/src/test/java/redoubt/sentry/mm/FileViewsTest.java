package redoubt.sentry.mm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;

/**
 * Views by themselves: where they lie, when they go, and that nothing stays mapped without them.
 */
class FileViewsTest {
  private static final long MIB = 1 << 20;
  private static final long BASE = 0x1000_0000L;

  private final FakeSpace space = new FakeSpace(200 * MIB);
  private final FileViews views = new FileViews(space);

  @Test
  void shouldFindWhatItMade() {
    FakeFile f = new FakeFile(4 * MIB);
    FileViews.View v = make(f, 4096, false);
    assertEquals(v, views.find(f, 3 * MIB, false));
    assertNull(views.find(f, 4 * MIB, false));
    assertNull(views.find(f, 0, true), "it is not writable");
    assertNull(views.find(new FakeFile(4 * MIB), 0, false));
    assertEquals(1, f.observers.size());
  }

  @Test
  void shouldUnmapForCertainWhatItsFileLetsGoOf() {
    FakeFile f = new FakeFile(4 * MIB);
    FileViews.View v = make(f, 0, true);
    views.invalidate(f, 4 * MIB, 8 * MIB);
    assertNotNull(views.find(f, 0, true), "other pages are gone");
    views.invalidate(f, MIB, 2 * MIB);
    assertNull(views.find(f, 0, true));
    assertEquals(List.of("unmap " + (v.address - BASE) + " attested"), space.last(1));
    assertNotEquals(v.version, f.grants.version(), "grants on it must be refused from now on");
    assertTrue(f.observers.isEmpty());
  }

  @Test
  void shouldUseNoPlaceAgainWhileThreadsMayStillCopyThere() {
    List<FakeFile> files = new ArrayList<>();
    long before = -1;
    FileViews.View v;
    while (true) {
      FakeFile f = new FakeFile(4 * MIB);
      files.add(f);
      v = views.make(f, f.grants, 0, false, false);
      if (v == null) {
        break;
      }
      assertTrue(v.address > before);
      before = v.address;
      views.invalidate(f, 0, Long.MAX_VALUE);
    }
    assertEquals(51, files.size(), "200 MiB in pieces of 4");
    FakeFile last = files.getLast();
    v = views.make(last, last.grants, 0, false, true);
    assertEquals(BASE, Objects.requireNonNull(v).address, "alone, it begins again");
  }

  @Test
  void shouldDropTheOldestOfTooMany() {
    List<FakeFile> files = new ArrayList<>();
    for (int i = 0; i < GuestContext.VIEWS + 1; i++) {
      files.add(new FakeFile(MIB));
      make(files.getLast(), 0, false);
    }
    assertNull(views.find(files.getFirst(), 0, false));
    assertTrue(files.getFirst().observers.isEmpty());
    assertNotNull(views.find(files.get(1), 0, false));
  }

  @Test
  void shouldLeaveNothingBehindWhereTheHostRefuses() {
    FakeFile f = new FakeFile(MIB);
    space.fails = true;
    assertNull(views.make(f, f.grants, 0, false, true));
    assertTrue(f.observers.isEmpty());
    assertTrue(space.destroyed, "what is mapped there is not known any more");
  }

  @Test
  void shouldMakeNoneOfAHoleOrAfterTheEnd() {
    FakeFile f = new FakeFile(MIB);
    assertNull(views.make(f, f.grants, MIB, false, true));
    f.present = 4096;
    assertNull(views.make(f, f.grants, 8192, false, true));
    views.close();
    assertNull(views.make(f, f.grants, 0, false, true));
    assertTrue(f.observers.isEmpty());
    assertEquals(List.of(), space.done);
  }

  private FileViews.View make(FakeFile f, long at, boolean writable) {
    return Objects.requireNonNull(views.make(f, f.grants, at, writable, true));
  }

  /** A file that is one piece of memory. */
  private static final class FakeFile implements Mappable {
    final Grants grants = new Grants();
    final List<MappingObserver> observers = new ArrayList<>();
    final long size;
    long present;

    FakeFile(long size) {
      this.size = size;
      this.present = size;
    }

    @Override
    public Grants grants() {
      return grants;
    }

    @Override
    public long viewableBytes() {
      return size;
    }

    @Override
    public long view(MapBatch batch, long address, long offset, long length, boolean writable) {
      long n = Math.min(length, present - offset);
      batch.mapFile(address, n, writable ? 3 : 1, true, 1, offset);
      return n;
    }

    @Override
    public long map(MapBatch b, long uaddr, long offset, long length, int prot, boolean shared) {
      throw new AssertionError();
    }

    @Override
    public long fault(MapBatch b, long uaddr, long offset, long length, int prot, boolean shared) {
      throw new AssertionError();
    }

    @Override
    public void reference() {}

    @Override
    public void unreference() {}

    @Override
    public void addMapping(MappingObserver o) {
      observers.add(o);
    }

    @Override
    public void removeMapping(MappingObserver o) {
      assertTrue(observers.remove(o));
    }
  }

  private static final class FakeSpace implements AddressSpace {
    final List<String> done = new ArrayList<>();
    final long viewBytes;
    boolean fails;
    boolean destroyed;

    FakeSpace(long viewBytes) {
      this.viewBytes = viewBytes;
    }

    List<String> last(int n) {
      return done.subList(done.size() - n, done.size());
    }

    @Override
    public long viewBase() {
      return BASE;
    }

    @Override
    public long viewBytes() {
      return viewBytes;
    }

    @Override
    public long apply(MapBatch b) {
      assertTrue(b.isForViews());
      if (fails) {
        return -12;
      }
      for (int i = 0; i < b.size(); i++) {
        String what = b.get(i, 0) == MapBatch.UNMAP ? "unmap " : "map ";
        done.add(what + (b.get(i, 1) - BASE) + (b.isAttested() ? " attested" : ""));
      }
      return 0;
    }

    @Override
    public AddressSpace fork() {
      throw new AssertionError();
    }

    @Override
    public GuestContext newContext() {
      throw new AssertionError();
    }

    @Override
    public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
      throw new AssertionError();
    }

    @Override
    public long copyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
      throw new AssertionError();
    }

    @Override
    public void destroy() {
      destroyed = true;
    }

    @Override
    public boolean isDead() {
      return false;
    }

    @Override
    public void release(@Nullable Runnable whenGone) {}
  }
}
