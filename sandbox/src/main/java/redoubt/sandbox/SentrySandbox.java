package redoubt.sandbox;

import redoubt.sentry.control.ControlClient;

/** A container whose kernel is a sentry. */
final class SentrySandbox extends Sandbox {
  SentrySandbox(String id, int pid, ControlClient client) {
    super(id, pid, client);
  }

  @Override
  public String kernel() {
    return "sentry";
  }

  @Override
  void describe(Plan plan, Installation installation, Machine machine) {
    plan.add("keeper", installation.keeper()).addAll("sentry", installation.sentryCommand());
  }
}
