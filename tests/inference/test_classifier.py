import contextlib
import io
import os
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

import ppcls
from helpers.messages import refusal, says
from helpers.pictures import noise, save_picture, solid
from ppcls.inference import Bundle, Classifier, Result
from ppcls.inference.backends.paddle import PaddleBackend
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError

NAMES = ["tench, Tinca tinca", "goldfish", 'a "shark"', "naïve ray", "hen"]


class Means:
    """Scores that are arithmetic: classes 0, 1, 2 get the picture's mean red, green and blue, 3 and 4 get -9."""

    def __init__(self):
        self.batches = []

    def run(self, batch):
        self.batches.append(batch.shape)
        means = batch.mean(axis=(2, 3))
        return np.concatenate([means, np.full((len(batch), 2), -9)], axis=1).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Three pictures and, between them, a file that is none."""
    save_picture(tmp_path / "a_red.png", solid((250, 0, 10)))
    save_picture(tmp_path / "b_green.png", solid((0, 240, 10)))
    (tmp_path / "c_broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    save_picture(tmp_path / "d/blue.png", solid((0, 10, 230)))
    return tmp_path


def expected(value, channel):
    mean, std = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))[channel]
    return (value / 255 - mean) / std


def test_results_are_what_the_pictures_say(exported, folder):
    results = list(Classifier(exported, backend=Means(), topk=2).predict(folder))
    assert [result.source for result in results] == [
        str(folder / name) for name in ("a_red.png", "b_green.png", "c_broken.jpg", "d/blue.png")
    ]
    red, green, broken, blue = results
    assert red.class_ids == [0, 2]
    assert red.scores == pytest.approx([expected(250, 0), expected(10, 2)], abs=1e-5)
    assert red.names == ["tench, Tinca tinca", 'a "shark"']
    assert green.class_ids == [1, 2] and blue.class_ids == [2, 1]
    assert red.error is green.error is blue.error is None
    assert broken == Result(str(folder / "c_broken.jpg"), [], [], [], broken.error)
    assert broken.error and "c_broken" not in broken.error


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [2, 1]), (4, [3]), (100, [3])])
def test_batches_hold_what_could_be_read(exported, folder, batch_size, batches):
    backend = Means()
    results = list(Classifier(exported, backend=backend, batch_size=batch_size).predict(folder))
    assert [shape[0] for shape in backend.batches] == batches
    assert {shape[1:] for shape in backend.batches} == {(3, 32, 32)}
    assert [result.class_ids[:1] for result in results] == [[0], [1], [], [2]]


def test_pictures_that_are_missing_or_too_small_have_their_say(exported, tmp_path):
    absent, good = tmp_path / "absent.png", save_picture(tmp_path / "good.png", solid((0, 0, 200)))
    results = list(Classifier(exported, backend=Means()).predict([absent, good, b"", tmp_path]))
    assert [result.source for result in results] == [str(absent), str(good), 2, str(tmp_path)]
    assert results[0].error == "No such file or directory"
    assert results[1].error is None
    assert results[2].error and results[2].class_ids == []
    assert results[3].error == "Is a directory"


def test_what_can_be_no_picture_leaves_those_beside_it_alone(exported, tmp_path):
    red = save_picture(tmp_path / "a.png", solid((250, 0, 10)))
    blue = save_picture(tmp_path / os.fsdecode(b"\xff.png"), solid((0, 0, 200)))  # a name that is not UTF-8
    given = [red, "a\0b.png", "x" * 5000, "ftp://example.com/cat.jpg", None, "", tmp_path, bytearray(b"bad"), blue]
    results = Classifier(exported, backend=Means(), batch_size=4).predict(given)
    assert [result.top1 for result in results] == [0, *[None] * 7, 2]
    assert [result.source for result in results][1:4] == given[1:4]
    assert results[-1].source == str(blue)
    errors = [result.error for result in results[1:-1]]
    for error, said in zip(
        errors, ["zero byte", "too long", "only addresses", "NoneType", "empty", "directory", "format"]
    ):
        assert said in error and len(error) < 200


def test_pictures_in_other_forms_are_what_their_files_are(exported, tmp_path):
    path = save_picture(tmp_path / "x.png", noise(60, 50))
    classifier, content = Classifier(exported, backend=Means()), path.read_bytes()
    expected = classifier.predict(path)[0].scores
    image = Image.open(path)
    opened = path.open("rb")
    forms = [image, bytearray(content), memoryview(content), io.BytesIO(content), opened, np.asarray(image)]
    assert [result.scores for result in classifier.predict(forms, color="RGB")] == [expected] * len(forms)
    opened.close()
    image.seek(0)
    assert classifier.predict(image)[0].scores == expected
    assert classifier.predict(f"{tmp_path}/*.png")[0].scores == expected
    gray = np.random.default_rng(0).integers(0, 256, (50, 60), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    assert classifier.predict(gray)[0].scores == classifier.predict(tmp_path / "gray.png")[0].scores


def test_arrays_state_their_color_order(exported):
    classifier = Classifier(exported, backend=Means())
    picture = solid((200, 100, 10))
    (rgb,) = classifier.predict(picture, color="RGB")
    (bgr,) = classifier.predict(picture[..., ::-1], color="BGR")
    (wrong,) = classifier.predict(picture, color="BGR")
    assert rgb == bgr
    assert rgb.source == 0
    assert rgb.class_ids[:3] == [0, 1, 2]
    assert wrong.class_ids[:3] == [2, 1, 0]
    with pytest.raises(UserError, match='give its channel order, color="RGB" or color="BGR"'):
        classifier.predict(picture)  # at once, not when the first result is asked for


def test_bytes_are_a_pictures_file(exported, tmp_path):
    path = save_picture(tmp_path / "x.png", solid((0, 250, 0)))
    (from_bytes,) = Classifier(exported, backend=Means()).predict(path.read_bytes())
    (from_file,) = Classifier(exported, backend=Means()).predict(path)
    assert from_bytes.scores == from_file.scores
    assert (from_bytes.source, from_file.source) == (0, str(path))


def test_equal_scores_go_to_the_lower_id(exported):
    class Even:
        def run(self, batch):
            return np.full((len(batch), 5), 0.2, np.float32)

    (result,) = Classifier(exported, backend=Even(), topk=3).predict(solid((0, 0, 0)), color="RGB")
    assert result.class_ids == [0, 1, 2]


def test_scores_that_are_no_numbers_have_no_order(exported):
    class Broken:
        def run(self, batch):
            return np.full((len(batch), 5), np.nan, np.float32)

    assert refusal(list, Classifier(exported, backend=Broken()).predict(solid((0, 0, 0)), color="RGB")) == says(
        "0: a score is not a number, ...; check the weights"
    )


def test_topk_is_at_most_the_number_of_classes(exported):
    (result,) = Classifier(exported, backend=Means(), topk=9).predict(solid((200, 100, 10)), color="RGB")
    assert result.class_ids == [0, 1, 2, 3, 4]
    assert result.names == NAMES


def test_names_may_be_replaced(exported, tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("0 null\n1 eins\n2 zwei\n3 drei\n4 vier\n", encoding="utf-8")
    for names in (file, str(file), ["null", "eins", "zwei", "drei", "vier"]):
        (result,) = Classifier(exported, backend=Means(), topk=2, class_names=names).predict(
            solid((9, 200, 99)), color="RGB"
        )
        assert result.names == ["eins", "zwei"]
    file.write_text("0 null\n1 eins\n")
    assert refusal(Classifier, exported, class_names=file) == f"{file}: 2 class names for 5 classes; give one per class"
    with pytest.raises(UserError, match=r"^class_names: 1 class names for 5 classes; give one per class$"):
        Classifier(exported, class_names=["one"])


def test_a_bundle_without_names_gives_none(edit):
    (result,) = Classifier(edit({"class_names": None}), backend=Means()).predict(solid((1, 2, 3)), color="RGB")
    assert result.names == [] and len(result.class_ids) == 5


@pytest.mark.parametrize("value", [-1, 0, 1.5, "4"])
@pytest.mark.parametrize("argument", ["batch_size", "topk", "threads", "requests"])
def test_counts_are_whole_numbers_from_one(exported, argument, value):
    with pytest.raises(UserError, match=f"^{argument} is {value!r}; write a whole number from 1"):
        Classifier(exported, **{argument: value})


def test_a_count_of_numpy_is_one(exported):
    classifier = Classifier(exported, batch_size=np.int64(2), threads=np.int32(1))
    assert len(list(classifier.predict([GOLDEN_PICTURE] * 3))) == 3


def test_more_threads_than_an_engine_bears_are_refused(exported):
    with pytest.raises(UserError, match=r"^threads is 1025; write a whole number from 1 to 1024$"):
        Classifier(exported, threads=1025)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    generator = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(7):
        small = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        save_picture(folder / f"{index}.png", cv2.resize(small, (70, 50), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("onednn", [True, False])
def test_paddle_inference_gives_the_networks_scores(exported, pictures, tiny_network, batch_size, onednn):
    import paddle

    bundle = Bundle.load(exported)
    tensors = np.stack([bundle.pipeline.from_file(path) for path in sorted(pictures.iterdir())])
    scores = tiny_network()(paddle.to_tensor(tensors)).numpy()
    results = list(Classifier(bundle, batch_size=batch_size, onednn=onednn).predict(pictures))
    assert len(results) == 7
    for result, row in zip(results, scores):
        assert result.class_ids == np.argsort(-row).tolist()
        assert result.scores == pytest.approx(sorted(row.tolist(), reverse=True), rel=1e-4, abs=1e-6)
        assert result.names == [NAMES[class_id] for class_id in result.class_ids]


def test_a_relu_after_a_concatenation_of_convolutions_runs(tmp_path, export_again):
    """As in SqueezeNet; one of Paddle's own passes breaks on it."""
    from paddle import nn

    class Fire(nn.Layer):
        def __init__(self):
            super().__init__()
            self.one, self.three, self.head = nn.Conv2D(3, 8, 1), nn.Conv2D(3, 8, 3, padding=1), nn.Linear(16, 5)

        def forward(self, image):
            import paddle

            both = nn.functional.relu(paddle.concat([self.one(image), self.three(image)], axis=1))
            return nn.functional.softmax(self.head(nn.functional.adaptive_avg_pool2d(both, 1).flatten(1)))

    network = Fire()
    network.eval()
    export_again(tmp_path, network)
    assert Classifier(tmp_path).verify().score_difference < 1e-5


def test_threads_may_share_a_backend(exported):
    backend = PaddleBackend(Bundle.load(exported), Settings(threads=1))
    batches = [np.random.default_rng(seed).normal(size=(seed + 1, 3, 32, 32)).astype(np.float32) for seed in range(4)]
    alone = [backend.run(batch) for batch in batches]
    together = [[] for _ in batches]

    def work(index):
        together[index] = [backend.run(batches[index]) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for right, several in zip(alone, together):
        assert len(several) == 20
        for scores in several:
            assert np.array_equal(scores, right)


def test_a_batch_has_the_predictor_for_itself(exported):
    """The race that this prevents is too rare to be waited for."""
    backend = PaddleBackend(Bundle.load(exported))
    pool, taken = backend._pool, []

    class Watched:
        @contextlib.contextmanager
        def take(self):
            with pool.take() as engine:
                taken.append(pool._free.qsize())
                yield engine

    backend._pool = Watched()
    for _ in range(2):
        assert backend.run(np.zeros((2, 3, 32, 32), np.float32)).shape == (2, 5)
    assert taken == [0, 0]
    assert pool._free.qsize() == 1


def test_a_gpu_without_cuda_names_the_override(exported, monkeypatch):
    import paddle

    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    assert refusal(Classifier, exported, device="gpu") == says(
        "... this build of Paddle has no CUDA; write -o Global.use_gpu=False or --device cpu "
        "(... device='cpu'), or install paddlepaddle-gpu ..."
    )


def test_an_unknown_device(exported):
    with pytest.raises(UserError, match=r"^device is 'tpu'; write cpu or gpu$"):
        Classifier(exported, device="tpu")


def test_the_package_offers_it():
    assert issubclass(ppcls.Classifier, Classifier)  # which takes names of published models as well
