import com.amazon.randomcutforest.config.ForestMode;
import com.amazon.randomcutforest.config.ImputationMethod;
import com.amazon.randomcutforest.config.TransformMethod;
import com.amazon.randomcutforest.parkservices.AnomalyDescriptor;
import com.amazon.randomcutforest.parkservices.ThresholdedRandomCutForest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The Java library's thresholded forest with the settings of the anomaly-detection plugin.
 *
 * Commands on standard input: "INPUT OUTPUT FEATURES SHINGLE SEED ACCEPT OUTPUT_AFTER IMPUTATION RATIO". INPUT holds
 * rows of 1 + FEATURES little-endian float64: time in milliseconds, values; NaN = missing. OUTPUT gets as many rows of
 * 6 + 5 * FEATURES: score, grade, threshold, confidence, relative index, mode of correction; then, a number a feature
 * each, the input of the forest, shift, scale, deviation of differences, and expected value. The answer is a line.
 */
public class TrcfPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            int nFeatures = Integer.parseInt(words[2]);
            ByteBuffer rows = ByteBuffer.wrap(Files.readAllBytes(Path.of(words[0]))).order(ByteOrder.LITTLE_ENDIAN);
            int nRows = rows.remaining() / (8 * (1 + nFeatures));
            ByteBuffer out = ByteBuffer.allocate(nRows * 8 * (6 + 5 * nFeatures)).order(ByteOrder.LITTLE_ENDIAN);
            ThresholdedRandomCutForest model = model(words, nFeatures);
            for (int row = 0; row < nRows; row++) {
                long time = (long) rows.getDouble();
                double[] values = new double[nFeatures];
                for (int feature = 0; feature < nFeatures; feature++) {
                    values[feature] = rows.getDouble();
                }
                int[] missing = IntStream.range(0, nFeatures).filter(f -> Double.isNaN(values[f])).toArray();
                for (int feature : missing) {
                    values[feature] = 0;
                }
                write(out, model.process(values, time, missing.length > 0 ? missing : null), nFeatures);
            }
            Files.write(Path.of(words[1]), out.array());
            System.out.println("done");
        }
    }

    private static ThresholdedRandomCutForest model(String[] words, int nFeatures) {
        int shingle = Integer.parseInt(words[3]);
        double[] ratio = new double[nFeatures];
        Arrays.fill(ratio, Double.parseDouble(words[8]));
        double[] ones = new double[nFeatures];
        Arrays.fill(ones, 1.0);
        boolean isFixed = words[7].equals("FIXED_VALUES");
        ThresholdedRandomCutForest.Builder<?> builder = ThresholdedRandomCutForest.builder();
        builder.dimensions(nFeatures * shingle).shingleSize(shingle).randomSeed(Long.parseLong(words[4]))
            .numberOfTrees(50).sampleSize(256).timeDecay(1.0 / 2560).transformDecay(1.0 / 2560)
            .outputAfter(Integer.parseInt(words[6])).initialAcceptFraction(Double.parseDouble(words[5]))
            .internalShinglingEnabled(true).parallelExecutionEnabled(false).boundingBoxCacheFraction(1.0)
            .anomalyRate(0.005).transformMethod(TransformMethod.NORMALIZE).alertOnce(true).autoAdjust(true)
            .ignoreNearExpectedFromAboveByRatio(ratio).ignoreNearExpectedFromBelowByRatio(ratio)
            .forestMode(shingle > 1 ? ForestMode.STREAMING_IMPUTE : ForestMode.STANDARD);
        if (shingle > 1) {
            builder.imputationMethod(ImputationMethod.valueOf(words[7]));
            if (isFixed) {
                builder.fillValues(ones);
            }
        }
        return builder.build();
    }

    private static void write(ByteBuffer out, AnomalyDescriptor result, int nFeatures) {
        out.putDouble(result.getRCFScore()).putDouble(result.getAnomalyGrade()).putDouble(result.getThreshold())
            .putDouble(result.getDataConfidence()).putDouble(result.getRelativeIndex())
            .putDouble(result.getCorrectionMode().ordinal());
        float[] point = result.getRCFPoint();
        for (int f = 0; f < nFeatures; f++) {
            out.putDouble(point == null ? Double.NaN : point[point.length - nFeatures + f]);
        }
        for (double[] column : new double[][] {result.getShift(), result.getScale()}) {
            for (int f = 0; f < nFeatures; f++) {
                out.putDouble(column == null ? Double.NaN : column[f]);
            }
        }
        double[] deviations = result.getDeviations();
        for (int f = 0; f < nFeatures; f++) {
            out.putDouble(deviations == null ? Double.NaN : deviations[nFeatures + f]);
        }
        double[][] expected = result.getExpectedValuesList();
        for (int f = 0; f < nFeatures; f++) {
            out.putDouble(expected == null ? Double.NaN : expected[0][f]);
        }
    }
}
