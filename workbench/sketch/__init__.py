"""Drawn instructions: strokes, recognition, drawing, reading of pictures, plans and grounding.

Source of the grammar: Robotic Visual Instruction, arXiv:2505.00693.
"""
