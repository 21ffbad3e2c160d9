"""What is kept on disk: sessions, episodes, every step's exact state, events, notes, campaigns; replay and exports.

Start with :class:`sessions.store.Store` (open, list, read, change) and :class:`sessions.recorder.Recorder` (writes a
running rollout). ``docs/storage.md`` describes the tables and views.
"""
