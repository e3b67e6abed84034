import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;
import org.verapdf.pdfa.validation.validators.ValidatorFactory;

/** java -cp 'libraries/*' Validate.java ua1,3a FILE...   One JSON line for each file and flavour. */
public class Validate {
  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.SEVERE);
    VeraGreenfieldFoundryProvider.initialise();
    ObjectMapper json = new ObjectMapper();
    List<PDFAFlavour> flavours = new ArrayList<>();
    for (String id : arguments[0].split(",")) {
      PDFAFlavour flavour = PDFAFlavour.byFlavourId(id);
      if (flavour == null || flavour == PDFAFlavour.NO_FLAVOUR) throw new IllegalArgumentException("flavour " + id);
      flavours.add(flavour);
    }
    for (int i = 1; i < arguments.length; i++) {
      for (PDFAFlavour flavour : flavours) System.out.println(json.writeValueAsString(verdict(arguments[i], flavour)));
    }
  }

  /** A fresh parser and validator for each pair: both keep state. A file that is no PDF throws. */
  static Map<String, Object> verdict(String file, PDFAFlavour flavour) throws Exception {
    try (PDFAParser parser = Foundries.defaultInstance().createParser(Path.of(file).toFile(), flavour);
         PDFAValidator validator = ValidatorFactory.createValidator(flavour, 1, false, true, false)) {
      ValidationResult result = validator.validate(parser);
      TreeSet<String> failed = new TreeSet<>();
      for (TestAssertion assertion : result.getTestAssertions()) {
        if (assertion.getStatus() != TestAssertion.Status.FAILED) continue;
        failed.add(assertion.getRuleId().getClause() + "-" + assertion.getRuleId().getTestNumber() + " "
            + assertion.getMessage() + " at " + assertion.getLocation().getContext());
      }
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("file", Path.of(file).getFileName().toString());
      line.put("flavour", flavour.getId());
      line.put("compliant", result.isCompliant() && "normal".equalsIgnoreCase(String.valueOf(result.getJobEndStatus())));
      line.put("assertions", result.getTotalAssertions());
      line.put("failed", failed);
      return line;
    }
  }
}
