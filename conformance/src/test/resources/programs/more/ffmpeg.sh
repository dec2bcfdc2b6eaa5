# ffmpeg: makes a film with sound, encodes it with threads, reads it back.
# needs: /usr/bin/ffmpeg
cd /tmp; ffmpeg -v error -nostdin -f lavfi -i testsrc=duration=3:size=320x240:rate=25 -f lavfi -i sine=duration=3 -c:v libx264 -threads 4 -preset fast -c:a aac f.mp4; echo $?
ffprobe -v error -show_entries stream=codec_name,width,height,nb_frames -of csv f.mp4; ffmpeg -v error -nostdin -i f.mp4 -f rawvideo -pix_fmt rgb24 - | wc -c; ffmpeg -v error -nostdin -i f.mp4 -vf scale=160:-1 -c:v libvpx -b:v 200k -an f.webm; ffprobe -v error -show_entries stream=codec_name,width -of csv f.webm
