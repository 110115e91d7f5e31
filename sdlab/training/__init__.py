"""Trainings that stop on time, resume, and can be watched."""
