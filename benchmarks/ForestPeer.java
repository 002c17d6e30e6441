import com.amazon.randomcutforest.RandomCutForest;
import com.amazon.randomcutforest.state.RandomCutForestMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The Java forest, driven inside its own virtual machine, so that no bridge is measured.
 *
 * Arguments: file of float32 streams, number of streams, points a stream, columns, trees, samples, models, points to
 * train with. Commands on standard input: "visit BLOCK MODEL MODEL ..."; the answer is the nanoseconds it took.
 */
public class ForestPeer {
    public static void main(String[] args) throws Exception {
        int nStreams = Integer.parseInt(args[1]);
        int nPoints = Integer.parseInt(args[2]);
        int nColumns = Integer.parseInt(args[3]);
        int nModels = Integer.parseInt(args[6]);
        int nTrain = Integer.parseInt(args[7]);
        FloatBuffer values = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[0])))
            .order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        float[][][] streams = new float[nStreams][nPoints][nColumns];
        for (float[][] stream : streams) {
            for (float[] point : stream) {
                values.get(point);
            }
        }
        RandomCutForest[] models = new RandomCutForest[nModels];
        int[] cursors = new int[nModels];
        RandomCutForestMapper mapper = new RandomCutForestMapper();
        mapper.setSaveExecutorContextEnabled(true);
        mapper.setSaveTreeStateEnabled(true);
        for (int index = 0; index < nModels; index++) {
            cursors[index] = nTrain + (index / nStreams) * 37 % 4000;
            if (index >= nStreams) {
                models[index] = mapper.toModel(mapper.toState(models[index % nStreams]));
                continue;
            }
            models[index] = RandomCutForest.builder().dimensions(nColumns).shingleSize(1)
                .numberOfTrees(Integer.parseInt(args[4])).sampleSize(Integer.parseInt(args[5]))
                .timeDecay(0.1 / Integer.parseInt(args[5])).outputAfter(1).randomSeed(index + 1)
                .parallelExecutionEnabled(false).boundingBoxCacheFraction(1.0).build();
            for (int step = 0; step < nTrain; step++) {
                models[index].getAnomalyScore(streams[index][step]);
                models[index].update(streams[index][step]);
            }
        }
        System.gc();
        System.out.println("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        double sum = 0;
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            int block = Integer.parseInt(words[1]);
            int[] order = new int[words.length - 2];
            for (int index = 0; index < order.length; index++) {
                order[index] = Integer.parseInt(words[index + 2]);
            }
            long start = System.nanoTime();
            for (int index : order) {
                for (int step = 0; step < block; step++) {
                    float[] point = streams[index % nStreams][cursors[index]++ % nPoints];
                    sum += models[index].getAnomalyScore(point);
                    models[index].update(point);
                }
            }
            System.out.println(System.nanoTime() - start);
        }
        System.err.println(sum > 0 ? "" : "no scores");
    }
}
