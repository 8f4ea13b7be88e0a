"""Writes room.sofa and hrir.sofa, with sofar 1.3.0 (pip install sofar), which writes AES69 files through netCDF-4.

room.sofa: SingleRoomSRIR, 2 measurements x 2 receivers at 8 kHz. Each response is white noise under an exponential
decay with a reverberation time of 0.10, 0.15, 0.20 and 0.25 s, delayed by 16 samples for receiver 2.
hrir.sofa: SimpleFreeFieldHRIR, 3 measurements x 2 receivers, a pulse of 0.5 at sample 10 M + R.
"""
import numpy as np
import sofar as sf

rate, length = 8000, 1600
rng = np.random.default_rng(4)
times = np.array([[0.10, 0.15], [0.20, 0.25]])
seconds = np.arange(length) / rate
signs = rng.choice([-1.0, 1.0], size=(2, 2, length))

room = sf.Sofa("SingleRoomSRIR")
room.Data_IR = np.round(signs * 10 ** (-3 * seconds / times[:, :, None]), 6)
room.Data_SamplingRate = rate
room.Data_Delay = np.array([[0, 16]])
room.SourcePosition = np.array([[0, 0, 1.5], [0, 0, 3.0]])
room.ListenerPosition = np.zeros((2, 3))
room.ReceiverPosition = np.array([[0.0, 0.1, 0.0], [0.0, -0.1, 0.0]])
room.delete("ReceiverDescriptions")
room.delete("EmitterDescriptions")
room.ReceiverView = np.tile(np.array([1.0, 0, 0]), (2, 1))[:, :, None]
room.ReceiverUp = np.tile(np.array([0.0, 0, 1.0]), (2, 1))[:, :, None]
room.MeasurementDate = np.zeros(2)
room.GLOBAL_Title = "Two decays, two receivers"
room.GLOBAL_License = "CC0 1.0"
room.GLOBAL_RoomType = "shoebox"
sf.write_sofa("room.sofa", room, compression=9)

hrir = sf.Sofa("SimpleFreeFieldHRIR")
data = np.zeros((3, 2, 64))
for m in range(3):
    for r in range(2):
        data[m, r, 10 * m + r] = 0.5
hrir.Data_IR = data
hrir.Data_SamplingRate = 44100
hrir.SourcePosition = np.array([[0, 0, 1.2], [90, 0, 1.2], [180, 0, 1.2]])
hrir.GLOBAL_Title = "Pulses"
hrir.GLOBAL_License = "CC0 1.0"
sf.write_sofa("hrir.sofa", hrir, compression=0)
