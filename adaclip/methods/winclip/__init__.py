"""WinCLIP, zero-shot (Jeong et al., CVPR 2023)."""
