"""A notebook in one file: the paper's table beside one's own numbers, and a figure, from the results frame.

python -m bench simulate suites/coco_val.yaml --results results/simulated
python examples/notebook.py suites/coco_val.yaml results/simulated figure.png
"""

import sys

import seaborn as sns

import bench

suite, results, figure = sys.argv[1:4]

frame = bench.load_results(results, suite)
# The paper's table: a line per backbone and method, a column per input size, the published AP beside ours.
table = 100 * frame.pivot_table(
    index=["backbone", "representation", "post_process"],
    columns="input_size",
    values=["AP", "published_AP"],
    sort=False,
)
print(table.round(1).to_string())

# AP by input size: a panel per backbone, a line per representation, a band over seeds where there are several.
grid = sns.relplot(
    frame, x="input_size", y="AP", hue="representation", style="post_process", col="backbone", kind="line", marker="o"
)
grid.savefig(figure)
