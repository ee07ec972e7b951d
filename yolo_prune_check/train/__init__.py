"""Fine-tuning that keeps masks and shapes (`finetune`), and accuracy (`evaluate`), through Ultralytics."""
