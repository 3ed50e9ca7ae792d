# ruff: noqa: E501 (whole messages stand in one line)
import dataclasses

import pytest

from helpers.messages import says
from ppcls.config.paddleclas.dialect import Legacy, Unused
from ppcls.config.paddleclas.unsupported import PADDLECLAS, PADDLECLAS_DEPLOY
from ppcls.config.schema import Config, DataLoaderSection, GlobalSection, LoaderSection
from ppcls.engine.schema import registries
from ppcls.utils.fields import field_types

SENTENCES = {
    "Slim.quant.name=pact": "Slim: quantization and pruning ... remove the section",
    "Global.eval_mode=retrieval": "Global.eval_mode: only single-label classification ... remove it",
    "Global.train_mode=efficientnet": "Global.train_mode: every epoch ... the same way ...; remove it",
    "Global.retrieval_feature_from=features": "Global.retrieval_feature_from: retrieval is not ... remove it",
    "Global.save_inference_format=x": "Global.save_inference_format: ... export (--format json or pdmodel); remove it",
    "Global.use_gpu=1": "Global.use_gpu: is called Global.device here; write Global.device: gpu or cpu",
    "Global.use_ema=True": "Global.use_ema: an average ... is a section here; write EMA: {decay: 0.9999}",
    "Global.ema_decay=0.99": "Global.ema_decay: belongs to a section; write EMA: {decay: 0.9999}",
    "EMA.ema_decay=0.99": "EMA.ema_decay: is called EMA.decay here; write that",
    "Global.image_channel=4": "Global.image_channel: ... write 3 as first number of Global.image_shape",
    "Arch.use_ssld=true": "Arch.use_ssld: distilled weights (SSLD) ... its path as Arch.pretrained",
    "Arch.infer_model=x": "Arch.infer_model: ... model ... remove it",
    "Optimizer.grad_clip.value=5": "Optimizer.grad_clip: is called clip_norm_global here (clip_norm ...); write that",
    "Optimizer.lr.cycle=true": "Optimizer.lr.cycle: the rate only falls here; remove it",
    "Optimizer.lr.last_epoch=3": "Optimizer.lr.last_epoch: a run ... write Global.checkpoints",
    "Arch.class_expand=1280": "Arch.class_expand: is a key of PP-LCNet, ... remove it",
    "DataLoader.Train.dataset.relabel=true": "DataLoader.Train.dataset.relabel: is a key of ImageNetDataset, ...; remove it",
    "DataLoader.Eval.Query.dataset=x": "DataLoader.Eval.Query: retrieval is not ... remove the section",
    "Loss.UnLabelTrain=[]": "Loss.UnLabelTrain: training without labels ... remove the section",
    "device=gpu": "device: belongs to a section; write Global.device",
    "class_num=5": "class_num: belongs to a section; write Arch.class_num",
    "Global.device=npu": "Global.device: the device npu ... write auto, cpu or gpu",
    "Global.device=gpu:0": "Global.device: names one GPU; write gpu, ...",
    "Global.device=tpu": "Global.device: is 'tpu'; write 'auto' or 'cpu' or 'gpu'",
    "Optimizer.name=Lamb": "Optimizer.name: the optimizer Lamb ... write Momentum, SGD, RMSProp, Adam or AdamW",
    "Optimizer.lr.name=OneCycleLR": "Optimizer.lr.name: the schedule OneCycleLR ...; write Cosine, ... Linear, Polynomial or Constant",
    "DataLoader.Train.dataset.name=VeriWild": "DataLoader.Train.dataset.name: ... VeriWild ...; write ImageNetDataset ..., or ImageFolder ...",
    "DataLoader.Train.sampler.name=PKSampler": "DataLoader.Train.sampler.name: the sampler PKSampler ...; write DistributedBatchSampler",
    "DataLoader.Train.dataset.transform_ops.0={AugMix: null}": "... DataLoader.Train.dataset.transform_ops.0.AugMix: ...; remove it or write RandAugment",
    "DataLoader.Train.dataset.transform_ops.0={Normalize: null}": "... DataLoader.Train.dataset.transform_ops.0.Normalize: works on what ToTensor gives; write ToTensor before it, or NormalizeImage",
    "DataLoader.Train.dataset.transform_ops.0={OpSampler: null}": "... DataLoader.Train.dataset.transform_ops.0.OpSampler: ... write it in batch_transform_ops",
    "DataLoader.Train.dataset.batch_transform_ops=[MixupCutmixHybrid: {alpha: 1}]": "... batch_transform_ops.0.MixupCutmixHybrid: ...; ... write OpSampler with MixupOperator and CutmixOperator",
    "Loss.Train.0={DistillationDKDLoss: null}": "Loss.Train.0.DistillationDKDLoss: the loss DistillationDKDLoss is not supported here; write CELoss",
    "Metric.Eval.0={Recallk: null}": "Metric.Eval.0.Recallk: the metric Recallk ... write TopkAcc",
    "Infer.PostProcess={name: ScoreOutput}": "Infer.PostProcess.name: the post-processing ScoreOutput ... write Topk",
    "Arch.name=RecModel": "Arch.name: the model RecModel ... name one backbone, such as DLA34",
}


@pytest.mark.parametrize("override", SENTENCES)
def test_sentences(small, override):
    key, _, sentence = SENTENCES[override].partition(": ")
    (problem,) = small.problems(small.VALID, override)
    said_already = override.startswith(f"{key}=")
    place = f"-o {override}" if said_already else f"-o {override} {key}"
    assert problem == says(f"{place}: {sentence}")


@pytest.mark.parametrize(
    "override",
    [
        "AMP=",
        "Global.to_static=False",
        "Global.use_dali=False",
        "Global.eval_mode=classification",
        "Global.train_mode=classification",
        "Global.use_multilabel=False",
        "Global.retrieval_feature_from=",
        "Arch.use_ssld=False",
        "Optimizer.multi_precision=False",
        "Optimizer.lr.cycle=False",
        "Optimizer.lr.last_epoch=-1",
        "Arch.class_expand=",
        "Global.print_mem_info=False",
        "Optimizer.clip_grad='None'",
        "DataLoader.Train.dataset.relabel=False",
    ],
)
def test_what_asks_for_nothing_is_accepted(small, override):
    assert small.load(small.VALID, override) == small.load()


WITHOUT_EFFECT = {
    "Global.print_mem_info=True": "the log does not show the use of memory",
    "Global.log_ranks='0,1,2,3'": "the first process logs",
    "Global.to_static=True": "training runs as a dynamic graph",
    "Global.use_dali=True": "this library's own loader reads the pictures",
    "Optimizer.clip_grad=5.0": "PaddleClas does not read it either; clip_norm_global clips gradients",
    "DataLoader.Train.loader.prefetch_factor=2": "the loader reads ahead by itself",
    "profiler_options={batch_range: 1}": "Paddle's profiler is not started by a configuration",
}


@pytest.mark.parametrize("override", WITHOUT_EFFECT)
def test_what_no_result_depends_on_is_accepted_with_one_line(small, override):
    plain = small.load()
    assert small.load(small.VALID, override) == plain
    assert small.lines == [f"-o {override}: accepted without effect: {WITHOUT_EFFECT[override]}"]


@pytest.mark.parametrize(
    ("old", "key", "of_true", "of_false"),
    [
        ("Global.use_gpu", "Global.device", "gpu", "cpu"),
        ("Arch.use_sync_bn", "Global.sync_batch_norm", True, None),
        ("AMP.use_pure_fp16", "AMP.level", "O2", None),
    ],
)
def test_a_key_that_another_one_is_here(small, old, key, of_true, of_false):
    section = ["AMP.use_amp=True"] if "AMP" in old else []
    plain = small.load(small.VALID, *section)
    assert small.load(small.VALID, *section, f"{old}=True") == small.load(small.VALID, *section, f"{key}={of_true}")
    small.load(small.VALID, *section, f"{old}=True")
    assert small.lines == [f"-o {old}=True: {old} read as {key}: {str(of_true).replace('True', 'true')}"]
    without = small.load(small.VALID, *section, f"{old}=False")
    assert without == (plain if of_false is None else small.load(small.VALID, f"{key}={of_false}"))


def test_the_line_names_the_place_in_a_file(small):
    small.load(small.VALID.replace("epochs: 2", "epochs: 2\n  print_mem_info: True"))
    assert small.lines == [says("c.yaml:3 Global.print_mem_info: accepted without effect: ...")]


@pytest.mark.parametrize(
    "override", ["Global.use_multilabel=0", "Global.eval_mode='Classification'", "AMP={use_amp: 0}"]
)
def test_what_only_looks_like_nothing_is_not(small, override):
    assert len(small.problems(small.VALID, override)) == 1


def test_no_sentence_stands_for_a_key_that_is_read():
    sections = {
        "": Config,
        "Global": GlobalSection,
        "DataLoader": DataLoaderSection,
        "DataLoader.*.loader": LoaderSection,
    }
    for key in PADDLECLAS.keys:
        section, _, name = key.rpartition(".")
        assert name not in field_types(sections[section]) if section in sections else True, key
    assert not any("Topk.topk" in key for key in PADDLECLAS_DEPLOY.keys)


def test_no_sentence_stands_for_a_component_that_there_is():
    for kind, names in PADDLECLAS.names.items():
        assert not [name for name in names if name in registries()[kind]], kind


def test_sentences_say_what_to_do():
    entries = [*PADDLECLAS.keys.values(), *PADDLECLAS_DEPLOY.keys.values()]
    unused = [entry for entry in entries if isinstance(entry, Unused)]
    names = [
        sentence for table in (*PADDLECLAS.names.values(), *PADDLECLAS.values.values()) for sentence in table.values()
    ]
    for sentence in [*(entry.sentence for entry in unused), *names]:
        _, remedy = sentence.split("; ")
        assert remedy.split()[0] in ("remove", "write", "download", "name"), sentence


def test_the_first_pattern_that_fits_counts():
    legacy = Legacy({"a.b": Unused("one"), "a.*": Unused("two")})
    assert [legacy.key(key) and legacy.key(key).sentence for key in ("a.b", "a.c", "ab")] == ["one", "two", None]


def test_class_num_in_global_goes_to_arch(small):
    text = small.VALID.replace("epochs: 2", "epochs: 2\n  class_num: 7")
    assert small.load(text).Arch.class_num == 7
    assert small.load(text).Arch == dataclasses.replace(small.load().Arch, class_num=7)
    assert small.load(text, "Arch.class_num=7").Arch.class_num == 7
    assert small.load(text, "Arch.class_num=8").Arch.class_num == 8
    assert small.problems(text.replace("Net18", "Net18\n  class_num: 8")) == [
        says("c.yaml:3 Global.class_num: is 7, but Arch.class_num is 8; remove it ...")
    ]
    assert small.problems(text.replace("class_num: 7", "class_num: x")) == [
        says("c.yaml:3 Arch.class_num: is 'x'; ... at least 1")
    ]
