"""Keys, components and values of PaddleClas 2.x that do nothing here, each with what to do instead."""

from __future__ import annotations

from ppcls.config.paddleclas.dialect import Ignored, Legacy, Unused
from ppcls.config.paddleclas.flat_keys import ROWS

_REMOVE_SECTION = "is not supported here; remove the section"
_ONLY_CLASSIFICATION = "only single-label classification is supported here; remove it"
_CLIPPING = (
    "is called clip_norm_global here (clip_norm for each parameter alone); write that"
)
_FORMAT = "the format is an option of the command export (--format json or pdmodel); remove it"
_SAME_EVERY_EPOCH = "a transform is the same in every epoch here; remove it"
_ARRAYS = Ignored("transforms always pass on arrays here")
_SPEED = Ignored("`ppcls benchmark latency` measures speed")
_SSLD = "distilled weights (SSLD) have no name here; download the file and give its path as Arch.pretrained"

_KEYS: dict[str, Unused | Ignored] = {
    "AMP.use_promote": Ignored("operations are cast by Paddle's own lists"),
    "AMP.master_weight": Unused(
        "level O2 always keeps weights in float32 as well; remove it", (True,)
    ),
    "Slim": Unused("quantization and pruning during training " + _REMOVE_SECTION),
    "SlimConfig": Unused("quantization and pruning during training " + _REMOVE_SECTION),
    "profiler_options": Ignored("Paddle's profiler is not started by a configuration"),
    "Global.to_static": Ignored("training runs as a dynamic graph"),
    "Global.use_dali": Ignored("this library's own loader reads the pictures"),
    "Global.eval_mode": Unused(_ONLY_CLASSIFICATION, ("classification",)),
    "Global.train_mode": Unused(
        "every epoch trains in the same way here; remove it", ("classification",)
    ),
    "Global.use_multilabel": Unused(_ONLY_CLASSIFICATION, (False,)),
    "Global.retrieval_feature_from": Unused(
        "retrieval is not supported here; remove it"
    ),
    "Global.save_inference_format": Unused(_FORMAT),
    "Global.export_type": Unused(_FORMAT, ("paddle",)),
    "Global.export_for_fd": Ignored(
        "export always writes one complete bundle", (False, True)
    ),
    "Global.max_num_latest_checkpoint": Unused(
        "is called Global.keep here; write that"
    ),
    "Global.log_ranks": Ignored("the first process logs", (0, "0")),
    "Global.print_mem_info": Ignored("the log does not show the use of memory"),
    "Global.use_gpu": Unused(
        "is called Global.device here; write Global.device: gpu or cpu"
    ),
    "Global.use_ema": Unused(
        "an average of the weights is a section here; write EMA: {decay: 0.9999}",
        (False,),
    ),
    "Global.ema_decay": Unused("belongs to a section; write EMA: {decay: 0.9999}"),
    "EMA.use_ema": Unused("the section switches it on; remove it", (True,)),
    "EMA.ema_decay": Unused("is called EMA.decay here; write that"),
    "AMP.use_pure_fp16": Unused("is called AMP.level here; write AMP.level: O2"),
    "Global.image_channel": Unused(
        "pictures get no channel of zeros here; remove it, and write 3 as first number of Global.image_shape"
    ),
    "Global.infer_imgs": Unused("belongs to another section; write Infer.infer_imgs"),
    "Arch.use_ssld": Unused(_SSLD, (False,)),
    "Arch.infer_model": Unused(
        "a separate model for inference is not supported here; remove it"
    ),
    "Arch.infer_output_key": Unused("the model has one output; remove it"),
    "Arch.infer_add_softmax": Unused(
        "the exported program always ends with softmax; remove it", (True,)
    ),
    "Arch.use_sync_bn": Unused(
        "is called Global.sync_batch_norm here; write that", (False,)
    ),
    "Arch.class_expand": Unused(
        "is a key of PP-LCNet, which is not supported here; remove it"
    ),
    "Arch.data_format": Unused("pictures are always NCHW here; remove it", ("NCHW",)),
    "Optimizer.grad_clip": Unused(_CLIPPING),
    "Optimizer.clip_grad": Ignored(
        "PaddleClas does not read it either; clip_norm_global clips gradients",
        (False, "None"),
    ),
    "Optimizer.multi_precision": Ignored(
        "AMP.level O2 steps weights in float32 by itself", (False, True)
    ),
    "Optimizer.lr.last_epoch": Unused(
        "a run is resumed from a checkpoint; write Global.checkpoints", (-1,)
    ),
    "Optimizer.lr.cycle": Unused("the rate only falls here; remove it", (False,)),
    "Optimizer.lr.decay_epochs": Unused(
        "is a key of Piecewise; write name: Piecewise, or remove it"
    ),
    "Optimizer.lr.milestones": Unused(
        "is a key of MultiStepDecay; write name: MultiStepDecay, or remove it"
    ),
    "Optimizer.lr.step_each_epoch": Ignored("the data set has its number of steps"),
    "Optimizer.lr.verbose": Ignored("the log shows the rate"),
    "Optimizer.lazy_mode": Unused(
        "every parameter is stepped as a whole here; remove it", (False,)
    ),
    "Optimizer.regularizer": Unused("AdamW decays by weight_decay; write that"),
    "Loss.*.DistillationDMLLoss.act": Unused(
        "probabilities are always computed by softmax here; remove it", ("softmax",)
    ),
    "Metric.*.DistillationTopkAcc.feature_key": Unused(
        "models return logits only here; remove it", ("logits",)
    ),
    "DataLoader.*.dataset.relabel": Unused(
        "is a key of ImageNetDataset, which reads numbers from a list; remove it",
        (False,),
    ),
    "*.DecodeImage.to_np": _ARRAYS,
    "*.ResizeImage.return_numpy": _ARRAYS,
    "*.RandCropImage.progress_size": Unused(_SAME_EVERY_EPOCH),
    "*.RandAugmentV2.progress_magnitude": Unused(_SAME_EVERY_EPOCH),
    "*.TimmAutoAugment.img_size": Ignored(
        "pictures are translated by a share of their sides, as PaddleClas does", ()
    ),
    "*.Pad.backend": Ignored("the border is the same", ("cv2", "pil")),
    "*.NormalizeImage.output_fp16": Unused(
        "half precision is not supported here; remove it", (False,)
    ),
    "DataLoader.Train.dataset.dataset_type": Unused(_ONLY_CLASSIFICATION),
    "DataLoader.Eval.Query": Unused(
        "retrieval is not supported here; remove the section"
    ),
    "DataLoader.Eval.Gallery": Unused(
        "retrieval is not supported here; remove the section"
    ),
    "*.UnLabelTrain": Unused(
        "training without labels is not supported here; remove the section"
    ),
    "DataLoader.*.loader.use_persistent_workers": Ignored(
        "the loader keeps its workers by itself"
    ),
    "DataLoader.*.loader.prefetch_factor": Ignored("the loader reads ahead by itself"),
    "DataLoader.*.loader.max_iter": Unused("an epoch is the whole data set; remove it"),
}

# Keys of the flat 2.0 format that stand in a file of today's, and what they are called now.
_MOVED = {
    **{row.old: row.new for row in ROWS if row.new and "." not in row.old},
    "device": "Global.device",
    "class_num": "Arch.class_num",
}


def _unsupported(what: str, names: str, remedy: str) -> dict[str, str]:
    return {
        name: f"{what} {name} is not supported here; {remedy}" for name in names.split()
    }


_OF_BATCHES = ("OpSampler", "MixupOperator", "CutmixOperator", "FmixOperator")
_NAMES = {
    "transform": {
        **_unsupported(
            "the transform",
            "RandomCropImage RandCropImageV2",
            "remove it or write RandCropImage",
        ),
        **_unsupported(
            "the transform",
            "RandFlipImageV2",
            "write RandFlipImage: {flip_code: 1}",
        ),
        **_unsupported("the transform", "DecodeImageV2", "write DecodeImage"),
        **_unsupported(
            "the transform",
            "CropWithPadding",
            "write ResizeImage and CropImage",
        ),
        **_unsupported("the transform", "Resize", "write ResizeImage"),
        **_unsupported(
            "the transform",
            "CropImageAtRatio RandomCrop",
            "write ResizeImage and CropImage",
        ),
        **_unsupported(
            "the transform",
            "RandomRot90 RandomInterpolationAugment",
            "remove it or write RandomRotation",
        ),
        **_unsupported("the transform", "Padv2 PadV2 Pad_paddle_vision", "write Pad"),
        "ToTensor": "has a value that is not a mapping; write it without one",
        "Normalize": "works on what ToTensor gives; write ToTensor before it, or NormalizeImage",
        **_unsupported(
            "the transform",
            "AugMix RandAugmentV4 PCALighting",
            "remove it or write RandAugment",
        ),
        **_unsupported("the transform", "BlurImage", "remove it or write GaussianBlur"),
        **dict.fromkeys(
            _OF_BATCHES, "acts on whole batches; write it in batch_transform_ops"
        ),
    },
    "batch transform": _unsupported(
        "the batch transform",
        "MixupCutmixHybrid",
        "remove it or write OpSampler with MixupOperator and CutmixOperator",
    ),
    "dataset": _unsupported(
        "the dataset",
        "CommonDataset LogoDataset ProductDataset VeriWild CompCars ICartoonDataset Cifar10 Cifar100 "
        "MixDataset MultiScaleDataset PersonReIDDataset AttrDataset Market1501 MSMT17 CustomLabelDataset",
        "write ImageNetDataset with a list file, or ImageFolder with one folder per class",
    ),
    "sampler": _unsupported(
        "the sampler",
        "PKSampler MixSampler DistributedRandomIdentitySampler DistributedGivenIterationSampler MultiScaleSampler "
        "DistributedGroupSampler ClassAwareSampler RASampler",
        "write DistributedBatchSampler",
    ),
    "optimizer": _unsupported(
        "the optimizer",
        "AdamWDL Lars LarsMomentum Lamb",
        "write Momentum, SGD, RMSProp, Adam or AdamW",
    ),
    "schedule": _unsupported(
        "the schedule",
        "ReduceOnPlateau CosineFixmatch OneCycleLR Cyclic CosineAnnealingWarmRestarts ExponentialWarmup",
        "write Cosine, Piecewise, MultiStepDecay, Step, Linear, Polynomial or Constant",
    ),
    "postprocess": _unsupported(
        "the post-processing",
        "DistillationPostProcess Binarize ScoreOutput",
        "write Topk",
    ),
    "loss": _unsupported(
        "the loss",
        "DistillationDKDLoss DistillationDistanceLoss DistillationPairLoss DistillationDISTLoss DistillationSKDLoss "
        "DistillationWSLLoss AFDLoss TripletLoss TripletLossV2 "
        "TripletAngularMarginLoss CenterLoss ArcMarginLoss CosMarginLoss EmlLoss MSMLoss NpairsLoss "
        "TrihardLoss SupConLoss PairwiseCosface GoogLeNetLoss FocalLoss DMLLoss KLDivLoss DistanceLoss",
        "write CELoss",
    ),
    "metric": _unsupported(
        "the metric",
        "AccuracyScore Recallk mAP mINP Precisionk GoogLeNetTopkAcc",
        "write TopkAcc",
    ),
    "backbone": _unsupported(
        "the model", "RecModel AttentionModel", "name one backbone, such as DLA34"
    ),
}

_OTHER_DEVICES = ("xpu", "npu", "mlu", "gcu", "dcu", "ipu", "mps", "intel_gpu")
_VALUES = {
    "Global.device": {
        **{
            name: f"the device {name} is not supported here; write auto, cpu or gpu"
            for name in _OTHER_DEVICES
        },
        **dict.fromkeys(
            ("cuda", "cuda:0", "gpu:0", "gpu:1"),
            "names one GPU; write gpu, and choose the GPU by CUDA_VISIBLE_DEVICES",
        ),
    },
}

_OF_ONE_MODEL = {
    key.replace("Arch.", "Arch.models.*.", 1): unused
    for key, unused in _KEYS.items()
    if key.startswith("Arch.")
}

PADDLECLAS = Legacy(
    {
        **_KEYS,
        **_OF_ONE_MODEL,
        **{
            old: Unused(f"belongs to a section; write {new}")
            for old, new in _MOVED.items()
        },
    },
    _NAMES,
    _VALUES,
)

_DEPLOY_KEYS: dict[str, Unused | Ignored] = {
    "PostProcess.main_indicator": Unused(
        "Topk is the only post-processing here; remove it", ("Topk",)
    ),
    "PostProcess.SavePreLabel": Ignored("`ppcls predict --output` saves the answers"),
    "PostProcess.ThreshOutput": Unused("is not supported here; write Topk"),
    "Global.gpu_mem": Ignored("GPU memory grows as it is needed"),
    "Global.ir_optim": Ignored("the program is always optimized", (True,)),
    "Global.enable_profile": Ignored("`ppcls benchmark` commands measure time"),
    "Global.enable_benchmark": _SPEED,
    "Global.benchmark": _SPEED,
    "Global.save_log_path": _SPEED,
    "Global.use_onnx": Unused(
        "is called Global.backend here; write Global.backend: onnxruntime", (False,)
    ),
    "Global.use_openvino": Unused(
        "is called Global.backend here; write Global.backend: openvino", (False,)
    ),
    "Global.use_xpu": Unused(
        "only CPU and GPU are supported here; remove it", (False,)
    ),
    "Global.use_npu": Unused(
        "only CPU and GPU are supported here; remove it", (False,)
    ),
    "Global.use_mlu": Unused(
        "only CPU and GPU are supported here; remove it", (False,)
    ),
    "Global.use_int8": Unused(
        "is called Global.precision here; write Global.precision: int8", (False,)
    ),
}
_OF_TRANSFORMS = {key: unused for key, unused in _KEYS.items() if key.startswith("*.")}
PADDLECLAS_DEPLOY = Legacy(
    {**_DEPLOY_KEYS, **_OF_TRANSFORMS}, {"transform": _NAMES["transform"]}
)
