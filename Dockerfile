# The app and the pipeline in one image:  docker build -t click-road . && docker run --rm -p 127.0.0.1:8501:8501 -v road:/road click-road
FROM python:3.11-slim-bookworm

# libgomp1: OpenMP of TensorFlow and numba; curl: the health check
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 curl && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv
WORKDIR /app
COPY requirements.txt ./
RUN uv pip install --system --no-cache --no-deps -r requirements.txt
COPY . .
RUN useradd --create-home road && mkdir /road && chown road /road
USER road
ENV CLICK_ROAD_WORKSPACE=/road/workspace
VOLUME /road
EXPOSE 8501
HEALTHCHECK CMD curl -sf http://127.0.0.1:8501/_stcore/health || exit 1
# Inside the container it has to listen on every interface; what is published is said with -p, see above
CMD ["python", "-m", "streamlit", "run", "app/main.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
