"""Names of files in the folder of a training run."""

CONFIG_FILE, LOG_FILE = "config.yaml", "train.log"
CURVES_FILE, REPORT_FILE = "curves.png", "report.html"
# The folder of the report of the best weights
EVALUATION_FOLDER = "evaluation"
