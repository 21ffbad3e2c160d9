"""Seeing failure coming: features of policy calls, detectors, a calibrated band, alarms, and how good all that is.

Source: SAFE (Gu et al. 2025, arXiv:2506.09937); the band follows Diquigiovanni et al. (arXiv:2102.06746).
"""
