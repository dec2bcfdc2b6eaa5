package redoubt.net.stack;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Longest prefix first. Changes copy the table, so that a lookup is a scan of a plain array. */
public final class RouteTable {
  private static final int MAX = 4096;
  private volatile Route[] routes = new Route[0];

  /**
   * Adds {@code route}, before older ones of the same length.
   *
   * @return whether there was room
   */
  public boolean add(Route route) {
    if (routes.length >= MAX) {
      return false;
    }
    for (Route r : routes) {
      if (r.equals(route)) {
        return true;
      }
    }
    List<Route> all = new ArrayList<>();
    all.add(route);
    all.addAll(List.of(routes));
    all.sort(Comparator.comparingInt(Route::prefixLength).reversed());
    routes = all.toArray(new Route[0]);
    return true;
  }

  /** Takes {@code route} out. {@return whether it was there} */
  public boolean remove(Route route) {
    List<Route> all = new ArrayList<>(List.of(routes));
    boolean was = all.remove(route);
    routes = all.toArray(new Route[0]);
    return was;
  }

  public @Nullable Route lookup(int destination) {
    for (Route r : routes) {
      if (r.matches(destination) && r.nic().isUp()) {
        return r;
      }
    }
    return null;
  }

  public List<Route> all() {
    return List.of(routes);
  }
}
