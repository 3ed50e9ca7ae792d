"""PaddleClas's `ppcls.arch.backbone.model_zoo`: one module for each family."""
