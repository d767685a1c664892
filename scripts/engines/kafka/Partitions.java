import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;

/** Gives a topic more partitions: BROKER TOPIC NUMBER. The command line tools of Kafka are not among what is fetched. */
class Partitions {
    public static void main(String[] of) throws Exception {
        try (var admin = Admin.create(Map.<String, Object>of("bootstrap.servers", of[0]))) {
            admin.createPartitions(Map.of(of[1], NewPartitions.increaseTo(Integer.parseInt(of[2])))).all().get();
        }
    }
}
