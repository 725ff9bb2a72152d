// Sends numbered spans, log records and data points with OpenTelemetry for Java, set up by its autoconfiguration.
//
// Run as a source file: java -cp 'lib/*' Send.java, with the usual environment (OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_SERVICE_NAME …) and CLIENT_RECORDS, CLIENT_POINTS, CLIENT_SECONDS. Nothing in here
// knows Spyhop.
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.concurrent.TimeUnit;

public final class Send {
  public static void main(String[] arguments) throws InterruptedException {
    int records = Integer.parseInt(System.getenv("CLIENT_RECORDS"));
    int points = Integer.parseInt(System.getenv("CLIENT_POINTS"));
    double seconds = Double.parseDouble(System.getenv("CLIENT_SECONDS"));
    OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();

    LongCounter counter = sdk.getMeter("client").counterBuilder("client.points").build();
    AttributeKey<String> number = AttributeKey.stringKey("number");
    for (int at = 0; at < points; at++) {
      counter.add(1, Attributes.of(number, name("point", at)));
    }
    Tracer tracer = sdk.getTracer("client");
    Logger logger = sdk.getLogsBridge().get("client");
    for (int at = 0; at < records; at++) {
      Span span = tracer.spanBuilder(name("span", at)).setAttribute("number", at).startSpan();
      logger.logRecordBuilder().setSeverity(Severity.INFO).setBody(name("log", at)).setAttribute("number", at).emit();
      span.end();
      Thread.sleep((long) (seconds * 1000 / records));
    }
    // Sends what is left; metrics are sent once more.
    sdk.shutdown().join(60, TimeUnit.SECONDS);
    System.exit(0);
  }

  private static String name(String what, int number) {
    return String.format("%s #%06d#", what, number);
  }
}
