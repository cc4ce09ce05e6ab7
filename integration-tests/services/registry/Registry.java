// A development schema registry: the documented endpoints and error codes of Confluent's REST API for
// Avro schemas, on Apache Avro's own library and the JDK's HTTP server. For development and tests only:
// one process, one file, loopback, no TLS, no references, no other schema type, no contexts.
//
//   java -cp 'libs/*' Registry.java --port 8081 --data FILE [--user name:password]
//
// Faults for tests: POST /test/fail?status=503&count=3 refuses the next three requests; with applied=true
// they are carried out first, and only their answers are lost.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

import static java.nio.charset.StandardCharsets.UTF_8;

public final class Registry {
    static final int BODY_MAX_BYTES = 4 << 20;
    static final Set<String> LEVELS = Set.of("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE");
    static final Set<String> MODES = Set.of("READWRITE", "READONLY", "READONLY_OVERRIDE");
    static final ObjectMapper JSON = new ObjectMapper();

    /** What the file holds. */
    public static final class State {
        public Map<Integer, String> schemas = new TreeMap<>();
        public Map<String, List<Version>> subjects = new TreeMap<>();
        public String level = "BACKWARD";
        public Map<String, String> levels = new TreeMap<>();
        public String mode = "READWRITE";
        public Map<String, String> modes = new TreeMap<>();
    }

    public static final class Version {
        public int version;
        public int id;
        public boolean deleted;
    }

    /** An answer other than success, as the API documents it: the status is the code's first three digits. */
    static final class Refusal extends RuntimeException {
        final int code;

        Refusal(int code, String message) {
            super(message);
            this.code = code;
        }

        int status() {
            return code > 999 ? code / 100 : code;
        }
    }

    record Fault(int status, int count, boolean applied) {}

    record Request(String method, List<String> path, Map<String, String> query, byte[] body) {
        boolean flag(String name) {
            return "true".equals(query.get(name));
        }

        int number(String name, int otherwise) {
            try {
                return Integer.parseInt(query.getOrDefault(name, String.valueOf(otherwise)));
            } catch (NumberFormatException e) {
                throw new Refusal(400, name + " is a number");
            }
        }

        JsonNode json() {
            try {
                JsonNode node = JSON.readTree(body);
                if (node != null && node.isObject()) return node;
            } catch (IOException e) {
                // refused below
            }
            throw new Refusal(400, "the body is not a JSON object");
        }

        String text(String field) {
            return json().path(field).asText("");
        }
    }

    final Path file;
    final String credentials;
    State state = new State();
    Fault fault = new Fault(0, 0, false);

    Registry(Path file, String credentials) throws IOException {
        this.file = file;
        this.credentials = credentials;
        if (Files.exists(file)) state = JSON.readValue(Files.readAllBytes(file), State.class);
    }

    public static void main(String[] args) throws IOException {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) options.put(args[i], args[i + 1]);
        if (args.length % 2 != 0 || !options.containsKey("--data") || !Set.of("--port", "--data", "--user").containsAll(options.keySet())) {
            System.err.println("usage: Registry --data FILE [--port N] [--user name:password]");
            System.exit(64);
        }
        int port = Integer.parseInt(options.getOrDefault("--port", "8081"));
        Registry registry = new Registry(Path.of(options.get("--data")), options.get("--user"));
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 0);
        server.createContext("/", registry::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("a registry for development and tests only, on http://127.0.0.1:" + server.getAddress().getPort());
    }

    // ---- HTTP ----------------------------------------------------------------------------------

    void handle(HttpExchange exchange) throws IOException {
        int status = 200;
        Object answer;
        String path = exchange.getRequestURI().getRawPath();
        try (exchange) {
            try {
                admit(exchange);
                byte[] body = exchange.getRequestBody().readNBytes(BODY_MAX_BYTES + 1);
                if (body.length > BODY_MAX_BYTES) throw new Refusal(413, "the body is longer than " + BODY_MAX_BYTES + " bytes");
                Request request = new Request(exchange.getRequestMethod(), segments(path), query(exchange.getRequestURI().getRawQuery()), body);
                synchronized (this) {
                    answer = faulty(request);
                }
            } catch (Refusal refusal) {
                status = refusal.status();
                answer = error(refusal.code, refusal.getMessage());
                if (status == 401) exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"registry\"");
            } catch (IOException | RuntimeException e) {
                status = 500;
                answer = error(50001, "error in the registry's own store: " + e);
            }
            byte[] bytes = JSON.writeValueAsBytes(answer);
            exchange.getResponseHeaders().set("Content-Type", "application/vnd.schemaregistry.v1+json");
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
        }
        System.out.println(exchange.getRequestMethod() + " " + path + " " + status);
    }

    void admit(HttpExchange exchange) {
        if (credentials == null) return;
        String wanted = "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(UTF_8));
        String given = exchange.getRequestHeaders().getFirst("Authorization");
        if (given == null || !MessageDigest.isEqual(wanted.getBytes(UTF_8), given.getBytes(UTF_8))) throw new Refusal(401, "Unauthorized");
    }

    /** Split before it is decoded: a subject may hold a slash. */
    static List<String> segments(String rawPath) {
        List<String> segments = new ArrayList<>();
        for (String segment : rawPath.split("/")) {
            // a plus sign in a path is a plus sign
            if (!segment.isEmpty()) segments.add(decode(segment.replace("+", "%2B")));
        }
        return segments;
    }

    static Map<String, String> query(String rawQuery) {
        Map<String, String> query = new HashMap<>();
        if (rawQuery == null) return query;
        for (String pair : rawQuery.split("&")) {
            int at = pair.indexOf('=');
            query.put(decode(at < 0 ? pair : pair.substring(0, at)), at < 0 ? "" : decode(pair.substring(at + 1)));
        }
        return query;
    }

    static String decode(String text) {
        try {
            return URLDecoder.decode(text, UTF_8);
        } catch (IllegalArgumentException e) {
            throw new Refusal(400, "the address is not well-formed");
        }
    }

    static Map<String, Object> error(int code, String message) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("error_code", code);
        error.put("message", message);
        return error;
    }

    /** The answer, or the fault that a test has ordered in its place. */
    Object faulty(Request request) throws IOException {
        if (request.method().equals("POST") && request.path().equals(List.of("test", "fail"))) {
            int status = request.number("status", 500);
            if (status < 400 || status > 599) throw new Refusal(400, "status is one of 400 to 599");
            fault = new Fault(status, request.number("count", 1), request.flag("applied"));
            return Map.of("status", fault.status, "count", fault.count);
        }
        if (fault.count <= 0) return answer(request);
        Fault now = fault;
        fault = new Fault(now.status, now.count - 1, now.applied);
        if (now.applied) answer(request);
        throw new Refusal(now.status, "a test has ordered this fault");
    }

    Object answer(Request request) throws IOException {
        List<String> path = request.path();
        String room = path.isEmpty() ? "" : path.get(0);
        String route = request.method() + " " + room + "/" + (path.size() - 1);
        String second = path.size() > 1 ? path.get(1) : "";
        String third = path.size() > 2 ? path.get(2) : "";
        String fourth = path.size() > 3 ? path.get(3) : "";
        switch (room) {
            case "":
                return Map.of();
            case "subjects":
                if (path.size() > 2 && !third.equals("versions")) break;
                switch (route) {
                    case "GET subjects/0": return subjects(request);
                    case "POST subjects/1": return lookUp(second, request);
                    case "DELETE subjects/1": return deleteSubject(second, request.flag("permanent"));
                    case "GET subjects/2": return versions(second, request);
                    case "POST subjects/2": return register(second, request);
                    case "GET subjects/3": return described(second, version(second, fourth, request.flag("deleted")));
                    case "DELETE subjects/3": return deleteVersion(second, fourth, request.flag("permanent"));
                    case "GET subjects/4":
                        if (path.get(4).equals("schema")) return JSON.readTree(state.schemas.get(version(second, fourth, request.flag("deleted")).id));
                        break;
                    default: break;
                }
                break;
            case "schemas":
                if (route.equals("GET schemas/1") && second.equals("types")) return List.of("AVRO");
                if (request.method().equals("GET") && second.equals("ids") && path.size() > 2) return byId(third, path.size() > 3 ? fourth : "", request);
                break;
            case "config":
                switch (route) {
                    case "GET config/0": return Map.of("compatibilityLevel", state.level);
                    case "GET config/1": return Map.of("compatibilityLevel", own(state.levels, second, request, state.level, 40408, "compatibility"));
                    case "PUT config/0": case "PUT config/1": return configure(second, request);
                    case "DELETE config/0":
                        state.level = "BACKWARD";
                        save();
                        return Map.of("compatibility", state.level);
                    case "DELETE config/1": return Map.of("compatibility", forget(state.levels, second, 40408, "compatibility"));
                    default: break;
                }
                break;
            case "mode":
                switch (route) {
                    case "GET mode/0": return Map.of("mode", state.mode);
                    case "GET mode/1": return Map.of("mode", own(state.modes, second, request, state.mode, 40409, "mode"));
                    case "PUT mode/0": case "PUT mode/1": return setMode(second, request);
                    case "DELETE mode/1": return Map.of("mode", forget(state.modes, second, 40409, "mode"));
                    default: break;
                }
                break;
            case "compatibility":
                if (request.method().equals("POST") && second.equals("subjects") && path.size() >= 4 && fourth.equals("versions")) {
                    return compatibility(third, path.size() > 4 ? path.get(4) : null, request);
                }
                break;
            default:
                break;
        }
        throw new Refusal(404, "HTTP 404 Not Found");
    }

    // ---- subjects and schemas ------------------------------------------------------------------

    static Refusal noSubject(String subject) {
        return new Refusal(40401, "Subject '" + subject + "' not found.");
    }

    static Schema parsed(Request request) {
        JsonNode body = request.json();
        String type = body.path("schemaType").asText("AVRO");
        if (!type.equals("AVRO")) throw new Refusal(42201, "Invalid schema type " + type + ": this registry knows AVRO only");
        if (body.path("references").size() > 0) throw new Refusal(42201, "Invalid schema: this registry knows no references");
        return parsed(body.path("schema").asText(""));
    }

    static Schema parsed(String text) {
        try {
            return new Schema.Parser(NameValidator.STRICT_VALIDATOR).setValidateDefaults(true).parse(text);
        } catch (AvroRuntimeException e) {
            throw new Refusal(42201, "Invalid schema, details: " + e.getMessage());
        }
    }

    List<Version> history(String subject) {
        return state.subjects.getOrDefault(subject, List.of());
    }

    List<Version> alive(String subject) {
        return history(subject).stream().filter(v -> !v.deleted).toList();
    }

    List<Version> visible(String subject, boolean deletedToo) {
        List<Version> versions = deletedToo ? history(subject) : alive(subject);
        if (versions.isEmpty()) throw noSubject(subject);
        return versions;
    }

    static int number(String version) {
        if (version.equals("latest") || version.equals("-1")) return -1;
        try {
            int number = Integer.parseInt(version);
            if (number > 0) return number;
        } catch (NumberFormatException e) {
            // refused below
        }
        throw new Refusal(42202, "The specified version '" + version
            + "' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"");
    }

    Version version(String subject, String wanted, boolean deletedToo) {
        int number = number(wanted);
        List<Version> versions = visible(subject, deletedToo);
        if (number == -1) return versions.get(versions.size() - 1);
        return versions.stream().filter(v -> v.version == number).findFirst()
            .orElseThrow(() -> new Refusal(40402, "Version " + number + " not found."));
    }

    Map<String, Object> described(String subject, Version version) {
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("subject", subject);
        described.put("version", version.version);
        described.put("id", version.id);
        described.put("schema", state.schemas.get(version.id));
        return described;
    }

    Object subjects(Request request) {
        String prefix = request.query().getOrDefault("subjectPrefix", "");
        return state.subjects.entrySet().stream()
            .filter(e -> e.getKey().startsWith(prefix))
            .filter(e -> request.flag("deletedOnly") ? alive(e.getKey()).isEmpty() : request.flag("deleted") || !alive(e.getKey()).isEmpty())
            .map(Map.Entry::getKey).toList();
    }

    Object versions(String subject, Request request) {
        return visible(subject, request.flag("deleted")).stream().map(v -> v.version).toList();
    }

    Object lookUp(String subject, Request request) {
        String text = parsed(request).toString();
        return visible(subject, request.flag("deleted")).stream()
            .filter(v -> state.schemas.get(v.id).equals(text)).findFirst().map(v -> described(subject, v))
            .orElseThrow(() -> new Refusal(40403, "Schema not found"));
    }

    Object register(String subject, Request request) throws IOException {
        Schema schema = parsed(request);
        String text = schema.toString();
        for (Version version : alive(subject)) {
            if (state.schemas.get(version.id).equals(text)) return Map.of("id", version.id);
        }
        writable(subject);
        List<String> problems = problems(schema, alive(subject), levelOf(subject));
        if (!problems.isEmpty()) {
            throw new Refusal(409, "Schema being registered is incompatible with an earlier schema for subject \"" + subject
                + "\", details: " + problems);
        }
        Version version = new Version();
        List<Version> history = state.subjects.computeIfAbsent(subject, s -> new ArrayList<>());
        version.version = history.isEmpty() ? 1 : history.get(history.size() - 1).version + 1;
        // One text has one id, whatever the subjects it stands under.
        version.id = state.schemas.entrySet().stream().filter(e -> e.getValue().equals(text)).map(Map.Entry::getKey).findFirst()
            .orElseGet(() -> state.schemas.keySet().stream().max(Integer::compare).orElse(0) + 1);
        state.schemas.put(version.id, text);
        history.add(version);
        save();
        return Map.of("id", version.id);
    }

    Object byId(String wanted, String part, Request request) throws JsonProcessingException {
        int id;
        try {
            id = Integer.parseInt(wanted);
        } catch (NumberFormatException e) {
            throw new Refusal(404, "HTTP 404 Not Found");
        }
        String text = state.schemas.get(id);
        if (text == null) throw new Refusal(40403, "Schema " + id + " not found");
        List<Map<String, Object>> uses = new ArrayList<>();
        state.subjects.forEach((subject, versions) -> versions.stream()
            .filter(v -> v.id == id && (!v.deleted || request.flag("deleted")))
            .forEach(v -> uses.add(new TreeMap<>(Map.of("subject", subject, "version", v.version)))));
        switch (part) {
            case "": return Map.of("schema", text);
            case "schema": return JSON.readTree(text);
            case "subjects": return uses.stream().map(u -> u.get("subject")).distinct().toList();
            case "versions": return uses;
            default: throw new Refusal(404, "HTTP 404 Not Found");
        }
    }

    Object deleteSubject(String subject, boolean permanent) throws IOException {
        writable(subject);
        if (history(subject).isEmpty()) throw noSubject(subject);
        List<Version> alive = alive(subject);
        if (permanent) {
            if (!alive.isEmpty()) throw new Refusal(40405, "Subject '" + subject + "' was not deleted first before being permanently deleted");
            List<Integer> numbers = history(subject).stream().map(v -> v.version).toList();
            state.subjects.remove(subject);
            state.levels.remove(subject);
            state.modes.remove(subject);
            save();
            return numbers;
        }
        if (alive.isEmpty()) throw new Refusal(40404, "Subject '" + subject + "' was soft deleted. Set permanent=true to delete permanently");
        alive.forEach(v -> v.deleted = true);
        save();
        return alive.stream().map(v -> v.version).toList();
    }

    Object deleteVersion(String subject, String wanted, boolean permanent) throws IOException {
        writable(subject);
        Version version = version(subject, wanted, true);
        if (permanent) {
            if (!version.deleted) {
                throw new Refusal(40407, "Subject '" + subject + "' Version " + version.version + " was not deleted first before being permanently deleted");
            }
            history(subject).remove(version);
            if (history(subject).isEmpty()) state.subjects.remove(subject);
        } else {
            if (version.deleted) {
                throw new Refusal(40406, "Subject '" + subject + "' Version " + version.version
                    + " was soft deleted. Set permanent=true to delete permanently");
            }
            version.deleted = true;
        }
        save();
        return version.version;
    }

    // ---- compatibility -------------------------------------------------------------------------

    String levelOf(String subject) {
        return state.levels.getOrDefault(subject, state.level);
    }

    /** What stands between SCHEMA and the versions that LEVEL holds it to, a message each. */
    List<String> problems(Schema schema, List<Version> versions, String level) {
        List<String> problems = new ArrayList<>();
        if (level.equals("NONE") || versions.isEmpty()) return problems;
        List<Version> held = level.endsWith("_TRANSITIVE") ? versions : versions.subList(versions.size() - 1, versions.size());
        for (Version version : held) {
            Schema old = parsed(state.schemas.get(version.id));
            List<String> found = new ArrayList<>();
            if (!level.startsWith("FORWARD")) found.addAll(unreadable(schema, old, "new", "old"));
            if (!level.startsWith("BACKWARD")) found.addAll(unreadable(old, schema, "old", "new"));
            if (found.isEmpty()) continue;
            problems.addAll(found);
            problems.add("{oldSchemaVersion: " + version.version + "}");
            problems.add("{oldSchema: '" + old + "'}");
        }
        if (!problems.isEmpty()) problems.add("{compatibility: '" + level + "'}");
        return problems;
    }

    static List<String> unreadable(Schema reader, Schema writer, String readerIs, String writerIs) {
        return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult().getIncompatibilities().stream()
            .map(i -> "{errorType:'" + i.getType() + "', description:'the " + readerIs + " schema cannot read what the " + writerIs
                + " schema wrote, at path " + i.getLocation() + "', additionalInfo:'" + i.getMessage() + "'}")
            .toList();
    }

    Object compatibility(String subject, String wanted, Request request) {
        Schema schema = parsed(request);
        List<Version> versions = alive(subject);
        String level = levelOf(subject);
        if (wanted != null) {
            // Against one version: the level's direction counts, its reach does not.
            int number = number(wanted);
            if (!versions.isEmpty() || number != -1) versions = List.of(version(subject, wanted, false));
        }
        List<String> problems = problems(schema, versions, level);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("is_compatible", problems.isEmpty());
        if (request.flag("verbose")) answer.put("messages", problems);
        return answer;
    }

    // ---- settings ------------------------------------------------------------------------------

    String own(Map<String, String> settings, String subject, Request request, String global, int code, String what) {
        String own = settings.get(subject);
        if (own != null) return own;
        if (request.flag("defaultToGlobal")) return global;
        throw new Refusal(code, "Subject '" + subject + "' does not have subject-level " + what + " configured");
    }

    String forget(Map<String, String> settings, String subject, int code, String what) throws IOException {
        String was = settings.remove(subject);
        if (was == null) throw new Refusal(code, "Subject '" + subject + "' does not have subject-level " + what + " configured");
        save();
        return was;
    }

    Object configure(String subject, Request request) throws IOException {
        String level = request.text("compatibility");
        if (!LEVELS.contains(level)) throw new Refusal(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, "
            + "backward_transitive, forward_transitive, and full_transitive");
        if (subject.isEmpty()) state.level = level;
        else state.levels.put(subject, level);
        save();
        return Map.of("compatibility", level);
    }

    Object setMode(String subject, Request request) throws IOException {
        String mode = request.text("mode");
        if (!MODES.contains(mode)) throw new Refusal(42204, "Invalid mode. Valid values here are " + String.join(", ", MODES));
        if (subject.isEmpty()) state.mode = mode;
        else state.modes.put(subject, mode);
        save();
        return Map.of("mode", mode);
    }

    void writable(String subject) {
        String mode = state.mode.equals("READONLY_OVERRIDE") ? state.mode : state.modes.getOrDefault(subject, state.mode);
        if (!mode.equals("READWRITE")) throw new Refusal(42205, "Subject " + subject + " is in read-only mode");
    }

    /** A whole new file, put in the old one's place: a killed registry leaves one or the other. */
    void save() throws IOException {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.write(fresh, JSON.writeValueAsBytes(state));
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
