package redoubt.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import org.junit.jupiter.api.Test;

/** The direction of dependencies (DESIGN section 3), and that only host touches native code. */
class ArchitectureTest {
  private static final JavaClasses PRODUCT =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("redoubt");

  @Test
  void shouldSeeTheWholeProduct() {
    assertTrue(PRODUCT.size() > 400, "only " + PRODUCT.size() + " classes were found");
  }

  @Test
  void shouldDependOnlyOnLayersAbove() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("abi")
        .definedBy("redoubt.abi..")
        .layer("host")
        .definedBy("redoubt.host..")
        .layer("net")
        .definedBy("redoubt.net..")
        .layer("p9")
        .definedBy("redoubt.p9..")
        .layer("sentry")
        .definedBy("redoubt.sentry..")
        .layer("gofer")
        .definedBy("redoubt.gofer..")
        .layer("oci")
        .definedBy("redoubt.oci..")
        .layer("sandbox")
        .definedBy("redoubt.sandbox..")
        .layer("cli")
        .definedBy("redoubt.cli..")
        .whereLayer("abi")
        .mayNotAccessAnyLayer()
        .whereLayer("host")
        .mayOnlyAccessLayers("abi")
        .whereLayer("net")
        .mayOnlyAccessLayers("abi", "host")
        .whereLayer("p9")
        .mayOnlyAccessLayers("abi", "host")
        .whereLayer("sentry")
        .mayOnlyAccessLayers("abi", "host", "net", "p9")
        .whereLayer("gofer")
        .mayOnlyAccessLayers("abi", "host", "p9")
        .whereLayer("oci")
        .mayOnlyAccessLayers("abi")
        .whereLayer("sandbox")
        .mayOnlyAccessLayers("abi", "host", "p9", "sentry", "gofer", "oci")
        .whereLayer("cli")
        .mayOnlyAccessLayers("abi", "host", "sentry", "gofer", "oci", "sandbox")
        .check(PRODUCT);
  }

  @Test
  void shouldTouchNativeCodeOnlyInHost() {
    noClasses()
        .that()
        .resideOutsideOfPackage("redoubt.host..")
        .should()
        .dependOnClassesThat()
        .areAssignableTo(Linker.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(SymbolLookup.class)
        .orShould()
        .callMethod(MemorySegment.class, "reinterpret", long.class)
        .orShould()
        .callMethod(MemorySegment.class, "ofAddress", long.class)
        .orShould()
        .callMethod(System.class, "load", String.class)
        .orShould()
        .callMethod(System.class, "loadLibrary", String.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(AddressLayout.class)
        .orShould()
        .dependOnClassesThat()
        .resideInAPackage("jdk.internal..")
        .check(PRODUCT);
  }
}
